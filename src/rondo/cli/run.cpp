// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/run.hpp>

#include <rondo/cli/run_served.hpp>
#include <rondo/cli/served_app.hpp>

namespace rondo {

int run(app& application, int argc, const char* const* argv) {
    cli::served_app served(application);
    return cli::run(served, argc, argv);
}

}  // namespace rondo
