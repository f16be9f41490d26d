// SPDX-License-Identifier: Apache-2.0
// Reports requests to the application that were refused because their head is invalid.
#include <algorithm>

#include <rondo/base/arena.hpp>
#include <rondo/handler/application.hpp>
#include <rondo/http/characters.hpp>
#include <rondo/server/connection.hpp>
#include <rondo/server/server.hpp>

namespace rondo::server {

namespace {

// Limits the logged part of a request line, whose length is chosen by the client.
constexpr std::size_t max_request_line = 1024;
constexpr std::string_view version_prefix = " HTTP/";

std::string_view first_line_of(std::string_view input) noexcept {
    input.remove_prefix(std::min(input.find_first_not_of("\r\n"), input.size()));
    input = input.substr(0, max_request_line);
    return input.substr(0, input.find_first_of("\r\n"));
}

// Removes "HTTP/1.1" from the end of the line and stores the version, 0.0 when there is none.
std::string_view parse_version(std::string_view line, handler::request& to) noexcept {
    to.version_major = to.version_minor = 0;
    const std::size_t at = line.rfind(version_prefix);
    if (at == std::string_view::npos) return line;
    const std::string_view number = line.substr(at + version_prefix.size());
    const auto is_digit = [&](std::size_t i) { return http::characters::is(number[i], http::characters::digit); };
    if (number.size() != 3 || number[1] != '.' || !is_digit(0) || !is_digit(2)) return line;
    to.version_major = static_cast<std::uint8_t>(number[0] - '0');
    to.version_minor = static_cast<std::uint8_t>(number[2] - '0');
    return line.substr(0, at);
}

void read_line(std::string_view line, handler::request& to) noexcept {
    line = parse_version(line, to);
    const std::size_t space = line.find(' ');
    to.method_text = line.substr(0, space);
    if (space != std::string_view::npos) to.target = line.substr(space + 1);
    const std::size_t question = to.target.find('?');
    to.path = to.target.substr(0, question);
    to.has_query = question != std::string_view::npos;
    if (to.has_query) to.query = to.target.substr(question + 1);
    to.method = http::method::other;
}

}  // namespace

class connection::sender final : public handler::connection_info {
public:
    explicit sender(connection& c) : connection_(c), peer_(c.peer()), local_(c.local()) {}
    std::string_view peer_address() noexcept override { return peer_.address; }
    std::uint16_t peer_port() noexcept override { return peer_.port; }
    bool is_secure() const noexcept override { return connection_.secure_; }
    std::string_view local_address() noexcept override { return local_.address; }
    std::uint16_t local_port() noexcept override { return local_.port; }
    bool is_unix() noexcept override { return local_.is_unix; }

private:
    const connection& connection_;
    const net::peer& peer_;
    const net::local_end& local_;
};

void connection::refuse_head(http::status code) {
    refuse(code);
    handler::request refused;
    read_line(first_line_of(input()), refused);
    sender from(*this);
    arena memory;
    refused.connection = &from;
    refused.memory = &memory;
    refused.arrived = clock::now();
    server_.app_.on_refused(refused, code, http::reason(code).size() + 1);
}

}  // namespace rondo::server
