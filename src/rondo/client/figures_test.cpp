// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rondo/client/calls_fixture.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/stats/stats_source_fixture.hpp>

namespace rondo {
namespace {

using testing::ok_text;
using testing::upstream;

class client_figures : public testing::calls {};
INSTANTIATE_TEST_SUITE_P(backends, client_figures, ::testing::ValuesIn(testing::all_backends()), testing::backend_name);

task<void> ask_at_once(client& http, upstream& u, int calls) {
    std::vector<task<client_response>> all;
    for (int i = 0; i < calls; ++i) all.push_back(http.get(u.url("/")));
    (void)co_await when_all(std::move(all));
}

TEST_P(client_figures, tell_of_calls_connections_and_waits) {
    upstream up(loop(), always(ok_text("x")));
    client_options few;
    few.connections_per_origin = 3;
    std::optional<client> limited(few);
    const auto of = [](std::string_view name) { return told("client", "", name); };
    const std::uint64_t requests = of("requests");
    const std::uint64_t opened = of("opened");
    const std::uint64_t waits = of("waits");
    const std::uint64_t waited = of("wait");
    run(ask_at_once(*limited, up, 20));
    EXPECT_EQ(of("requests") - requests, 20u);
    EXPECT_EQ(of("opened") - opened, 3u);
    EXPECT_EQ(of("waits") - waits, 17u);
    EXPECT_GT(of("wait"), waited);
    EXPECT_EQ(of("connections"), 3u);
    EXPECT_EQ(of("busy"), 0u);
    EXPECT_EQ(of("waiting"), 0u);
    limited.reset();
    EXPECT_EQ(of("requests") - requests, 20u);
    EXPECT_EQ(of("connections"), 0u);
}

}  // namespace
}  // namespace rondo
