/** Reckoner: financial events in, checked reasoning out. */
package dev.reckoner;
