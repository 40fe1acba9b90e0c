/**
 * The {@code reckoner} command. Each subcommand is a thin entry point to one part below: it reads
 * options, starts what has to run, and says in one line what went wrong. Exit codes are 0 for done,
 * 1 for failed and 2 for wrong usage.
 */
package dev.reckoner.cli;
