// SPDX-License-Identifier: Apache-2.0
#include "mandelbrot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>
#include <string_view>
#include <vector>

#include "png.hpp"

namespace message_board {
namespace {

constexpr double whole_width = 3.6;
constexpr unsigned long long deepest = 1ULL << 40;
constexpr unsigned usual_width = 960, usual_height = 600, largest_side = 1600;

struct picture_size {
    unsigned width;
    unsigned height;
};

unsigned most_steps(const place& at) { return 250 + 45 * static_cast<unsigned>(std::bit_width(at.zoom)); }

// The two largest parts of the set, which would take the most steps.
bool surely_inside(double x, double y) {
    const double q = (x - 0.25) * (x - 0.25) + y * y;
    return q * (q + (x - 0.25)) <= 0.25 * y * y || (x + 1) * (x + 1) + y * y <= 0.0625;
}

// Steps until the point escapes, with a smooth fraction; negative when it does not.
double escape_time(double x, double y, unsigned most) {
    if (surely_inside(x, y)) return -1;
    constexpr double far = 256;
    double re = 0, im = 0;
    for (unsigned n = 0; n < most; ++n) {
        const double re2 = re * re, im2 = im * im;
        if (re2 + im2 > far) return n + 1 - std::log2(std::log2(re2 + im2) / 2);
        im = 2 * re * im + y;
        re = re2 - im2 + x;
    }
    return -1;
}

std::uint8_t color_byte(double value) { return static_cast<std::uint8_t>(std::clamp(value, 0.0, 1.0) * 255); }

// A wheel of colours from night blue over white and amber.
pixel colour_of(double time) {
    if (time < 0) return {12, 10, 22};
    const double turn = 0.35 + 0.16 * std::sqrt(time);
    const auto wave = [turn](double shift) { return 0.5 + 0.5 * std::cos(2 * std::numbers::pi * (turn + shift)); };
    return {color_byte(wave(0.00)), color_byte(0.08 + 0.84 * wave(0.10)), color_byte(0.16 + 0.80 * wave(0.25))};
}

std::vector<pixel> render(const place& at, picture_size size, const rondo::request& req) {
    const double step = whole_width / static_cast<double>(at.zoom) / size.width;
    const unsigned most = most_steps(at);
    std::vector<pixel> pixels;
    pixels.reserve(std::size_t{size.width} * size.height);
    for (unsigned row = 0; row < size.height; ++row) {
        if (req.cancelled()) throw rondo::http_error(503, "Nobody waits for this picture any more");
        const double y = at.y - step * (row - size.height / 2.0);
        for (unsigned column = 0; column < size.width; ++column) {
            const double x = at.x + step * (column - size.width / 2.0);
            pixels.push_back(colour_of(escape_time(x, y, most)));
        }
    }
    return pixels;
}

std::string query_of(const place& at) {
    return fmt::format("x={:.15f}&amp;y={:.15f}&amp;zoom={}", at.x, at.y, at.zoom);
}

std::string page_link(const place& at) { return fmt::format("/views?{}#mandelbrot", query_of(at)); }

}  // namespace

place place_of(rondo::request& req) {
    place at;
    at.x = std::clamp(req.query_as<double>("x", at.x), -4.0, 4.0);
    at.y = std::clamp(req.query_as<double>("y", at.y), -4.0, 4.0);
    at.zoom = std::clamp(req.query_as<unsigned long long>("zoom", at.zoom), 1ULL, deepest);
    return at;
}

rondo::response mandelbrot(rondo::request& req) {
    const place at = place_of(req);
    const auto side = [&req](std::string_view name, unsigned otherwise) {
        return std::clamp(req.query_as<unsigned>(name, otherwise), 1u, largest_side);
    };
    const picture_size size{side("width", usual_width), side("height", usual_height)};
    return rondo::bytes(png(render(at, size, req), size.width, size.height), "image/png")
        .field("Cache-Control", "public, max-age=86400");
}

std::string image_link(const place& at) {
    return fmt::format("/mandelbrot.png?{}&amp;width={}&amp;height={}", query_of(at), usual_width, usual_height);
}

std::string zoom_links(const place& at) {
    constexpr std::array rows{"upper", "middle", "lower"}, columns{"left", "centre", "right"};
    const double third = whole_width / static_cast<double>(at.zoom) / 3;
    const double third_of_height = third * usual_height / usual_width;
    std::string out;
    for (int row = 0; row < 3; ++row)
        for (int column = 0; column < 3; ++column) {
            const place part{at.x + third * (column - 1), at.y - third_of_height * (row - 1),
                             std::min(at.zoom * 3, deepest)};
            out += fmt::format(R"(<a href="{}" aria-label="Zoom in: {} {}"></a>)", page_link(part), rows.at(row),
                               columns.at(column));
        }
    return out;
}

std::string out_link(const place& at) { return page_link(at.zoom > 3 ? place{at.x, at.y, at.zoom / 3} : place{}); }

std::string describe(const place& at) {
    return fmt::format("{}×, around {}{:.6g} {} {:.6g} i", at.zoom, at.x < 0 ? "−" : "", std::abs(at.x),
                       at.y < 0 ? "−" : "+", std::abs(at.y));
}

}  // namespace message_board
