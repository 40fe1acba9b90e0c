/** Opens a compute backend by the name a user gives it. The one place that knows all of them. */
package dev.reckoner.tensor.backends;
