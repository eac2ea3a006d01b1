// See dashboard.h.
#include "control/admin/dashboard.h"

#include <httplib.h>

namespace mcplane::control {

void serve_dashboard(httplib::Server& server) {
  for (const DashboardFile& file : dashboard_files())
    server.Get(file.path, [file](const httplib::Request&, httplib::Response& response) {
      // Nothing from elsewhere, whatever a peer calls itself, and in nobody's frame.
      response.set_header("Content-Security-Policy",
                          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
                          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
      response.set_header("X-Content-Type-Options", "nosniff");
      response.set_header("Referrer-Policy", "no-referrer");
      response.set_header("Cache-Control", "no-cache");
      response.set_content(file.content, file.type);
    });
}

}  // namespace mcplane::control
