//! Camera start and stop, the flag and the memory budget, mapped onto rings.
