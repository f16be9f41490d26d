// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/error_response.hpp>

#include <cxxabi.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <span>
#include <stdexcept>
#include <system_error>
#include <typeinfo>

#include <rondo/base/log.hpp>
#include <rondo/base/unavailable_error.hpp>
#include <rondo/codec/json.hpp>
#include <rondo/http/accept.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/web/app_state.hpp>

namespace rondo {
namespace {

std::string type_name(const std::type_info& type) {
    int failed = 0;
    const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &failed),
                                                      std::free);
    return failed == 0 ? name.get() : type.name();
}

/// Whether the client disconnected, which is not an error of the view.
bool is_lost_connection(const std::system_error& e) noexcept {
    return e.code() == std::errc::broken_pipe || e.code() == std::errc::connection_reset ||
           e.code() == std::errc::connection_aborted;
}

void log_exception(request& req, std::string_view text) {
    log::error(fmt::format("{} {} (route {}, request {}): {}", req.method_text(), req.target(),
                           req.route().empty() ? "none" : req.route(), req.id(), text));
}

std::string reason_phrase(const failure& f) {
    const auto reason = http::reason(f.code);
    return std::string(reason.empty() ? "Error" : reason);
}

constexpr std::string_view html_template = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{0} {1}</title>
<style>body{{font:1.1rem/1.5 system-ui,sans-serif;margin:18vh auto 0;max-width:34rem;padding:0 1.5rem}}
h1{{font-size:3.5rem;margin:0;line-height:1.1}}h2{{font-weight:500;margin:0 0 1rem}}small{{opacity:.6}}
@media(prefers-color-scheme:dark){{body{{background:#15171a;color:#e8e8e8}}}}</style></head>
<body><h1>{0}</h1><h2>{1}</h2>{2}{3}</body></html>
)";

std::string html_page(const failure& f, std::string_view id) {
    const std::string reason = reason_phrase(f);
    const std::string detail = f.text.empty() || f.text == reason ? "" : "<p>" + html_escape(f.text) + "</p>";
    const std::string shown_id = id.empty() ? "" : fmt::format("<p><small>Request {}</small></p>", html_escape(id));
    return fmt::format(html_template, http::to_int(f.code), reason, detail, shown_id);
}

std::string json_page(const failure& f, std::string_view id) {
    std::string out;
    const std::string reason = reason_phrase(f);
    codec::json_writer writer(out);
    writer.begin_object().member("status", http::to_int(f.code)).member("error", std::string_view(reason));
    if (!f.text.empty()) writer.member("detail", std::string_view(f.text));
    if (!id.empty()) writer.member("request_id", id);
    writer.end_object();
    return out;
}

std::string plain_page(const failure& f, std::string_view id) {
    std::string out = f.text.empty() ? reason_phrase(f) : f.text;
    if (!id.empty()) out += fmt::format(" (request {})", id);
    return out + '\n';
}

/// Calls an error handler of the application on the loop or the blocking pool, as its signature requires.
task<response> call_handler(const detail::error_handler& h, request& req, const failure& f) {
    if (h.async != nullptr) co_return co_await h.async(h.object.get(), req, f);
    const auto call = [&] { return h.sync(h.object.get(), req, f); };
    co_return co_await run_blocking(call);
}

task<std::optional<response>> run_error_handler(const detail::error_handler& h, request& req, const failure& f) {
    std::exception_ptr cause;
    try {
        response r = co_await call_handler(h, req, f);
        if (r.code() == http::status::ok) r.status(f.code);
        co_return std::optional<response>(std::move(r));
    } catch (...) {
        cause = std::current_exception();
    }
    detail::log_failure(req, cause);
    co_return std::nullopt;
}

}  // namespace

failure to_failure(std::exception_ptr cause) {
    failure f{.cause = cause};
    try {
        std::rethrow_exception(std::move(cause));
    } catch (const http_error& e) {
        f.code = e.code();
        f.text = e.what();
        if (const auto* const busy = dynamic_cast<const unavailable_error*>(&e)) f.retry_after = busy->retry_after();
    } catch (const unavailable_error& e) {
        f.code = http::status::service_unavailable;
        f.text = "The server is busy; try again later";
        f.retry_after = e.retry_after();
    } catch (const cancelled& c) {
        f.code = http::status::service_unavailable;
        f.text = c.reason == cancel_reason::deadline ? "The request took too long"
                 : c.reason == cancel_reason::drain  ? "The server is shutting down; try again"
                                                     : "The request was cancelled";
        f.retry_after = std::chrono::seconds(1);
    } catch (...) {
        f.code = http::status::internal_server_error;
    }
    return f;
}

response error_page(request& req, const failure& f) {
    constexpr std::string_view offers[] = {"text/plain", "text/html", "application/json"};
    const bool unexpected = f.code == http::status::internal_server_error;
    const std::string_view id = unexpected ? req.id() : std::string_view();
    response r;
    switch (http::best_offer(req.field("Accept").value_or(std::string_view()), offers)) {
        case 1: r = html(html_page(f, id)); break;
        case 2: r = json_text(json_page(f, id)); break;
        default: r = text(plain_page(f, id)); break;
    }
    r.status(f.code);
    return r;
}

namespace detail {

void log_failure(request& req, const std::exception_ptr& cause) noexcept {
    try {
        std::rethrow_exception(cause);
    } catch (const remote_error&) {
    } catch (const http_error& e) {
        if (http::to_int(e.code()) == 500) log_exception(req, e.what());
    } catch (const unavailable_error&) {
    } catch (const cancelled&) {
    } catch (const std::system_error& e) {
        if (!is_lost_connection(e)) log_exception(req, std::string("std::system_error: ") + e.what());
    } catch (const std::exception& e) {
        log_exception(req, type_name(typeid(e)) + ": " + e.what());
    } catch (...) {
        const std::type_info* const type = abi::__cxa_current_exception_type();
        log_exception(req, "unknown exception" + (type ? " of type " + type_name(*type) : std::string()));
    }
}

task<response> make_failure_response(const app_state& app, request& req, failure f) {
    std::optional<response> handled;
    if (const error_handler* handler = app.handler_for(f.code)) handled = co_await run_error_handler(*handler, req, f);
    response r = handled ? std::move(*handled) : error_page(req, f);
    if (!f.allow.empty()) r.field("Allow", f.allow);
    if (f.retry_after) r.field("Retry-After", std::to_string(f.retry_after->count()));
    co_return r;
}

}  // namespace detail
}  // namespace rondo
