/** The review queue: leases, decisions, the ledger, REST and the web page. */
package dev.reckoner.review;
