/**
 * Suites, metrics and statistics: what a model or adapter is worth. It knows nothing of promotion.
 */
package dev.reckoner.evaluation;
