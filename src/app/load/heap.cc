// mcplane-load's heap. Payloads of many megabytes go round in it: in huge pages, where there are any, and what is freed
// is kept, since it is needed again.

// Read by jemalloc(3) when it starts.
const char* malloc_conf = "thp:always,dirty_decay_ms:-1,muzzy_decay_ms:-1";
