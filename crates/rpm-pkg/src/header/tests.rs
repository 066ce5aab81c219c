// Filled with the tests against real rpm.
