/**
 * LangChain4j over the engine: the chat model, AI services, tools, routing and domain packs. It
 * turns one event into one verified analysis and knows neither Kafka nor the database.
 */
package dev.reckoner.agent;
