"""How fast the service answers, over HTTP, with the ledger on."""
