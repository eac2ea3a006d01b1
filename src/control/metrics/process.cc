// The process, under the names that every exporter gives such figures; its heap; its host.
#include "control/metrics/metrics.h"
#include "control/metrics/process_figures.h"

namespace mcplane::control {

void add_process_metrics(const Control& control, MetricList& list) {
  const ProcessFigures process = process_figures();
  list.counter("process_cpu_seconds_total", "User and system CPU time.").add({}, process.cpu_seconds);
  list.gauge("process_start_time_seconds", "Start of the process, since 1970.").add({}, process.start_time_seconds);
  list.gauge("process_virtual_memory_bytes", "Virtual memory.").add({}, process.virtual_bytes);
  list.gauge("process_resident_memory_bytes", "Resident memory.").add({}, process.resident_bytes);
  list.gauge("process_threads", "Threads.").add({}, process.threads);
  list.gauge("process_open_fds", "Open file descriptors.").add({}, process.open_fds);
  list.gauge("process_max_fds", "Most file descriptors that may be open.").add({}, process.max_fds);

  const HeapUse heap = control.options().hooks.heap ? control.options().hooks.heap() : HeapUse{};
  list.gauge("mcplane_heap_allocated_bytes", "Heap in use.").add({}, heap.allocated);
  list.gauge("mcplane_heap_active_bytes", "Heap pages with something in use.").add({}, heap.active);
  list.gauge("mcplane_heap_metadata_bytes", "Memory of the allocator's own.").add({}, heap.metadata);
  list.gauge("mcplane_heap_resident_bytes", "Heap pages that are resident.").add({}, heap.resident);
  list.gauge("mcplane_heap_mapped_bytes", "Heap that is mapped.").add({}, heap.mapped);
  list.gauge("mcplane_heap_retained_bytes", "Address space kept for the heap, without memory.").add({}, heap.retained);

  const HostFigures host = host_figures();
  list.gauge("mcplane_host_huge_pages", "Huge pages of the default size.")
      .add({{"state", "free"}}, host.huge_pages_free)
      .add({{"state", "in_use"}}, host.huge_pages - host.huge_pages_free);
  list.gauge("mcplane_host_memory_bytes", "Memory of the host.").add({}, host.memory_bytes);
  list.gauge("mcplane_host_memory_available_bytes", "Memory of the host that could be given to processes.")
      .add({}, host.memory_available_bytes);
  list.gauge("mcplane_host_load", "Threads of the host that run or could, a mean over a minute.").add({}, host.load);
}

}  // namespace mcplane::control
