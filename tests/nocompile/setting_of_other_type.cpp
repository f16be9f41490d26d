// SPDX-License-Identifier: Apache-2.0
// error: a setting must be text, a bool, a number
#include <vector>

#include <rondo/web/app.hpp>

void settings(rondo::app& app) {
#ifdef CONTROL
    (void)app.setting("upstream", "URL", "http://127.0.0.1:9000", "target of /upstream");
#else
    (void)app.setting("upstream", "URL", std::vector<int>{1}, "target of /upstream");
#endif
}
