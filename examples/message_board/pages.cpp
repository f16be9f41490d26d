// SPDX-License-Identifier: Apache-2.0
#include "pages.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <assets.hpp>
#include <chrono>
#include <map>
#include <stdexcept>

#include <rondo/base/utf8.hpp>
#include <rondo/codec/digest.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/http/conditional.hpp>
#include <rondo/http/media_type.hpp>

namespace message_board {
namespace {

// Nothing from other origins and nothing inline: the text of a message can never run as a script.
constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

// The template without its first line, which names the licence.
std::string_view template_of(std::string_view name) {
    const std::string_view bytes = assets::find(fmt::format("pages/{}.html", name));
    if (bytes.data() == nullptr) throw std::logic_error(fmt::format("unknown page '{}'", name));
    return bytes.substr(bytes.find('\n') + 1);
}

std::string_view first_character(std::string_view text) {
    return text.empty() ? text : text.substr(0, std::max<std::size_t>(1, rondo::utf8_sequence_length(text)));
}

// Must match hueOf in board.js.
std::size_t hue_of(std::string_view author) {
    std::size_t sum = 0;
    for (const char c : author) sum += static_cast<unsigned char>(c);
    return sum % hues;
}

std::string card(const message& m) {
    const std::string readable =
        fmt::format("{:%F %H:%M} UTC", fmt::gmtime(static_cast<std::time_t>(m.created_at / 1000)));
    return fill_template(template_of("message"), {{"id", std::to_string(m.id)},
                                                  {"hue", std::to_string(hue_of(m.author))},
                                                  {"initial", rondo::html_escape(first_character(m.author))},
                                                  {"author", rondo::html_escape(m.author)},
                                                  {"time", iso_time(m.created_at)},
                                                  {"readable", readable},
                                                  {"text", rondo::html_escape(m.text)}});
}

std::string cards(std::span<const message> messages) {
    std::string out;
    for (const message& m : messages) out += card(m);
    return out;
}

// The card that the page's script fills in.
std::string_view card_template() {
    static const std::string text = fill_template(
        template_of("message"),
        {{"id", ""}, {"hue", ""}, {"initial", ""}, {"author", ""}, {"time", ""}, {"readable", ""}, {"text", ""}});
    return text;
}

std::string older_link(const board_content& content) {
    if (content.messages.empty() || content.messages.back().id <= 1) return {};
    return fmt::format(R"(<a class="button quiet" rel="next" href="/?before={}">Older messages</a>)",
                       content.messages.back().id);
}

// The ETags of all static files, computed once.
const std::string& etag_of(std::string_view path) {
    static const std::map<std::string_view, std::string> tags = [] {
        std::map<std::string_view, std::string> computed;
        for (const assets::file& f : assets::all())
            computed.emplace(f.path,
                             fmt::format("\"{}\"", rondo::codec::hex(rondo::codec::sha256(f.bytes)).substr(0, 20)));
        return computed;
    }();
    return tags.at(path);
}

std::int64_t unix_time() { return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()); }

}  // namespace

std::string fill_template(std::string_view text, page_values values) {
    std::string out;
    while (true) {
        const std::size_t begin = text.find("{{"), end = text.find("}}");
        out += text.substr(0, begin);
        if (begin == std::string_view::npos) return out;
        const std::string_view name = text.substr(begin + 2, end - begin - 2);
        const auto value = std::ranges::find(values, name, &page_values::value_type::first);
        if (value == values.end()) throw std::logic_error(fmt::format("no value for the placeholder {{{{{}}}}}", name));
        out += value->second;
        text.remove_prefix(end + 2);
    }
}

rondo::response page(std::string_view name, std::string_view title, page_values values) {
    const auto current = [&](std::string_view link) {
        return std::string(name == link ? R"(aria-current="page")" : "");
    };
    const std::string body = fill_template(template_of(name), values);
    const std::string html = fill_template(template_of("layout"), {{"title", title},
                                                                   {"name", name},
                                                                   {"current board", current("board")},
                                                                   {"current views", current("views")},
                                                                   {"current stats", current("stats")},
                                                                   {"body", body}});
    return rondo::html(html)
        .field("Content-Security-Policy", content_security_policy)
        .field("Cache-Control", "no-store");
}

rondo::response board_page(const board_content& content) {
    const std::string error = rondo::html_escape(content.error);
    return page("board", content.live ? "Message board" : "Older messages",
                {{"live", content.live ? "yes" : "no"},
                 {"last", std::to_string(content.last)},
                 {"author", rondo::html_escape(content.input.author)},
                 {"text", rondo::html_escape(content.input.text)},
                 {"error", error},
                 {"max author", std::to_string(max_author)},
                 {"max text", std::to_string(max_text)},
                 {"messages", cards(content.messages)},
                 {"older", older_link(content)},
                 {"card", card_template()}});
}

rondo::task<rondo::response> static_file(rondo::request& req, std::string_view name) {
    const std::string path = "static/" + std::string(name);
    const std::string_view bytes = assets::find(path);
    if (bytes.data() == nullptr) throw rondo::http_error(404);
    const std::string& etag = etag_of(path);
    const auto result = rondo::http::evaluate(req.method(), req.fields(), {.etag = etag}, unix_time());
    rondo::response r = result == rondo::http::precondition::proceed
                            ? rondo::bytes(rondo::static_text{bytes}, rondo::http::media_type_for(path))
                            : rondo::response().status(result == rondo::http::precondition::not_modified ? 304 : 412);
    co_return std::move(r).field("ETag", etag).field("Cache-Control", "no-cache");
}

rondo::task<rondo::response> security_fields(rondo::request& req, rondo::next next) {
    rondo::response r = co_await next(req);
    r.field("X-Content-Type-Options", "nosniff");
    r.field("Referrer-Policy", "same-origin");
    co_return r;
}

}  // namespace message_board
