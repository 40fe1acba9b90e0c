/**
 * Lessons from a larger model: problems with gold answers are put to an endpoint of the OpenAI
 * protocol through LangChain4j, and what it writes is kept only where every step verifies and the
 * conclusion is the gold answer. It knows neither the engine nor the service.
 */
package dev.reckoner.teacher;
