// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rondo/client/client_fixture.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/stats/stats_source_fixture.hpp>

namespace rondo {
namespace {

using testing::ok_text;
using testing::upstream;

class ClientStats : public testing::client_fixture {};
INSTANTIATE_TEST_SUITE_P(backends, ClientStats, ::testing::ValuesIn(testing::available_backends()),
                         testing::backend_name);

task<void> get_concurrently(client& http, upstream& u, int calls) {
    std::vector<task<client_response>> all;
    for (int i = 0; i < calls; ++i) all.push_back(http.get(u.url("/")));
    (void)co_await when_all(std::move(all));
}

TEST_P(ClientStats, count_calls_connections_and_waits) {
    upstream up(loop(), respond_with(ok_text("x")));
    client_options few;
    few.max_connections_per_origin = 3;
    std::optional<client> limited(few);
    const auto stat = [](std::string_view name) { return stats_value("client", "", name); };
    const std::uint64_t requests = stat("requests");
    const std::uint64_t opened = stat("opened");
    const std::uint64_t waits = stat("waits");
    const std::uint64_t waited = stat("wait");
    run(get_concurrently(*limited, up, 20));
    EXPECT_EQ(stat("requests") - requests, 20u);
    EXPECT_EQ(stat("opened") - opened, 3u);
    EXPECT_EQ(stat("waits") - waits, 17u);
    EXPECT_GT(stat("wait"), waited);
    EXPECT_EQ(stat("connections"), 3u);
    EXPECT_EQ(stat("busy"), 0u);
    EXPECT_EQ(stat("waiting"), 0u);
    limited.reset();
    EXPECT_EQ(stat("requests") - requests, 20u);
    EXPECT_EQ(stat("connections"), 0u);
}

}  // namespace
}  // namespace rondo
