// SPDX-License-Identifier: Apache-2.0
// error: a setting is a text, a bool, a number
#include <vector>

#include <rondo/web/app.hpp>

void settings(rondo::app& app) {
#ifdef CONTROL
    (void)app.setting("upstream", "URL", "http://127.0.0.1:9000", "where /upstream goes");
#else
    (void)app.setting("upstream", "URL", std::vector<int>{1}, "where /upstream goes");
#endif
}
