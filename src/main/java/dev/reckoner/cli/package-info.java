/** The reckoner command. Each subcommand is a thin entry point to one part below. */
package dev.reckoner.cli;
