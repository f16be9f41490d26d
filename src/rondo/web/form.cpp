// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/form.hpp>

#include <algorithm>
#include <utility>

#include <rondo/handler/error.hpp>
#include <rondo/http/media_type.hpp>
#include <rondo/http/urlencoded_form.hpp>
#include <rondo/loop/coalescing_buffer.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/web/form_reader.hpp>

namespace rondo {

namespace {

[[noreturn]] void throw_too_large(const char* items) {
    throw http_error(http::status::content_too_large, std::string("The form has too many ") + items + ".");
}

[[noreturn]] void throw_malformed() { throw http_error(http::status::bad_request, "The form is malformed."); }

http::multipart_limits part_limits(const form_limits& limits) {
    http::multipart_limits out;
    out.parts = static_cast<std::uint32_t>(std::min<std::size_t>(limits.fields, UINT32_MAX));
    return out;
}

}  // namespace

std::optional<std::string_view> form_data::field(std::string_view name) const noexcept {
    const auto found = std::ranges::find(fields_, name, &form_field::name);
    return found == fields_.end() ? std::nullopt : std::optional<std::string_view>(found->value);
}

std::string_view form_data::value(std::string_view name, std::string_view default_value) const noexcept {
    return field(name).value_or(default_value);
}

std::vector<std::string_view> form_data::values(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const form_field& f : fields_) {
        if (f.name == name) values.emplace_back(f.value);
    }
    return values;
}

form_file* form_data::file(std::string_view name) noexcept {
    const auto found = std::ranges::find(files_, name, &form_file::name);
    return found == files_.end() ? nullptr : &*found;
}

form_reader::form_reader(std::string_view content_type, const form_limits& limits) : limits_(limits) {
    const std::string type = http::essence_of(content_type);
    if (type == "application/x-www-form-urlencoded") return;
    if (type != "multipart/form-data") {
        throw http_error(http::status::unsupported_media_type,
                         "A form must be sent as application/x-www-form-urlencoded or multipart/form-data.");
    }
    const auto boundary = http::multipart_boundary(content_type);
    if (!boundary) throw http_error(http::status::bad_request, "The form has no valid boundary.");
    multipart_.emplace(*boundary, part_limits(limits));
}

bool form_reader::would_block(std::size_t bytes) const noexcept {
    if (!multipart_) return false;
    return bytes > limits_.file_threshold || (in_file_ && form_.files_.back().content.would_block(bytes));
}

void form_reader::append(std::string_view bytes) {
    if (multipart_) return append_multipart(bytes);
    count_text(bytes.size());
    urlencoded_.append(bytes);
}

void form_reader::count_text(std::size_t more) {
    text_bytes_ += more;
    if (text_bytes_ > limits_.text_bytes) throw_too_large("bytes");
}

void form_reader::append_multipart(std::string_view bytes) {
    using event = http::multipart_parser::event;
    while (true) {
        const auto step = multipart_->parse(bytes);
        bytes.remove_prefix(step.consumed);
        switch (step.kind) {
            case event::part_begin: begin_part(); break;
            case event::part_data: add_data(step.data); break;
            case event::part_end: end_part(); break;
            case event::need_more:
            case event::done: return;
            case event::error:
                if (multipart_->error() == http::multipart_error::too_many_parts) throw_too_large("fields");
                throw_malformed();
        }
    }
}

void form_reader::begin_part() {
    const http::multipart_part& part = multipart_->part();
    in_file_ = part.filename.has_value();
    if (in_file_) {
        if (form_.files_.size() == limits_.files) throw_too_large("files");
        form_.files_.push_back({part.name, *part.filename, part.content_type, spool(limits_.file_threshold)});
    } else {
        count_text(part.name.size());
        form_.fields_.push_back({part.name, {}});
    }
}

void form_reader::add_data(std::string_view bytes) {
    if (in_file_) return form_.files_.back().content.append(bytes);
    count_text(bytes.size());
    form_.fields_.back().value.append(bytes);
}

void form_reader::end_part() {
    // Browsers send an empty file input as a file without a name and content.
    if (in_file_ && form_.files_.back().filename.empty() && form_.files_.back().content.size() == 0) {
        form_.files_.pop_back();
    }
    in_file_ = false;
}

void form_reader::parse_urlencoded() {
    auto pairs = http::parse_urlencoded(urlencoded_, {.pairs = limits_.fields});
    if (!pairs) throw_too_large("fields");
    form_.fields_.reserve(pairs->size());
    for (http::query_pair& pair : *pairs) form_.fields_.push_back({std::move(pair.name), std::move(pair.value)});
}

form_data form_reader::finish() {
    if (!multipart_) parse_urlencoded();
    else if (!multipart_->done()) throw_malformed();
    return std::move(form_);
}

task<form_data> read_form(handler::body& from, std::string_view content_type, form_limits limits) {
    form_reader reader(content_type, limits);
    pool_batch batch;
    const auto append_batch = [&reader, &batch] { reader.append(batch.bytes()); };
    while (true) {
        const std::string_view bytes = co_await from.read();
        if (bytes.empty()) break;
        if (batch.empty() && !reader.would_block(bytes.size())) {
            reader.append(bytes);
        } else if (batch.add(bytes)) {
            co_await run_blocking(append_batch);
            batch.clear();
        }
    }
    if (!batch.empty()) co_await run_blocking(append_batch);
    co_return reader.finish();
}

form_data parse_form(std::string_view body, std::string_view content_type, const form_limits& limits) {
    form_reader reader(content_type, limits);
    reader.append(body);
    return reader.finish();
}

}  // namespace rondo
