// Reads the text of a configuration file (TOML 1.0) as a whole: every mistake of it, or hot settings and the flags that
// its restart keys stand for. Knows nothing of the command line; config.h puts both together. Any thread.
//
//   [appliance]        flags without their dashes     [[port]]   device, ip, mac: a --port and what is typed behind it
//   [breaker] ...      hot keys (keys.h)              [[route]]  hot keys of one route, the first that matches holds
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "app/config/flags.h"
#include "control/config/history.h"
#include "control/config/settings.h"

namespace mcplane::app {

struct Place {
  unsigned line = 1, column = 1;  // from 1
};

struct ConfigMistake {
  Place place;
  std::string key;      // "breaker.window"; empty: about the text
  std::string what;     // what is wrong, and what to type instead
  std::string meaning;  // of the key; may be empty
};

// By path: "breaker.window", "route[0].burst"; and tables, "route[0]".
struct Places {
  std::map<std::string, Place> set;  // where each key stands that the file sets
  std::set<std::string> wrong;       // keys whose value is a mistake, so that nothing can be said of them
};

// A restart key, as it would be typed: --flag=value.
struct FileFlag {
  std::string name;  // "mtu"
  std::string value;
  std::string origin;  // "/etc/mcplane.toml:3"
  std::string place;   // "/etc/mcplane.toml:3:7"
};

struct ConfigFile {
  std::vector<std::string> mistakes;  // "FILE:LINE:COLUMN: KEY: WHAT (MEANING)", as the text has them
  control::Settings settings;
  std::vector<control::ConfigValue> values;  // every hot key
  std::vector<FileFlag> flags;               // in the order that typing needs
  bool has_port_tables = false;              // [[port]]; else at most one port, in [appliance]
};

// `name`: the file's, for people. The text of no file is "".
ConfigFile read_config_file(const std::string& text, const std::string& name, const std::vector<RestartKey>& flags);

}  // namespace mcplane::app
