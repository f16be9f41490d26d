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

constexpr double full_width = 3.6;
constexpr unsigned long long max_zoom = 1ULL << 40;
constexpr unsigned default_width = 960, default_height = 600, max_side = 1600;

struct picture_size {
    unsigned width;
    unsigned height;
};

unsigned max_iterations(const plane_region& region) {
    return 250 + 45 * static_cast<unsigned>(std::bit_width(region.zoom));
}

// The main cardioid and the largest disc of the set, which would take the most iterations.
bool in_largest_parts(double x, double y) {
    const double q = (x - 0.25) * (x - 0.25) + y * y;
    return q * (q + (x - 0.25)) <= 0.25 * y * y || (x + 1) * (x + 1) + y * y <= 0.0625;
}

// Iterations until the point escapes, with a smooth fraction; negative when it does not escape.
double escape_time(double x, double y, unsigned limit) {
    if (in_largest_parts(x, y)) return -1;
    constexpr double escape_radius_squared = 256;
    double re = 0, im = 0;
    for (unsigned n = 0; n < limit; ++n) {
        const double re2 = re * re, im2 = im * im;
        if (re2 + im2 > escape_radius_squared) return n + 1 - std::log2(std::log2(re2 + im2) / 2);
        im = 2 * re * im + y;
        re = re2 - im2 + x;
    }
    return -1;
}

std::uint8_t colour_byte(double value) { return static_cast<std::uint8_t>(std::clamp(value, 0.0, 1.0) * 255); }

// A wheel of colours from night blue over white and amber.
pixel colour_of(double time) {
    if (time < 0) return {12, 10, 22};
    const double turn = 0.35 + 0.16 * std::sqrt(time);
    const auto wave = [turn](double shift) { return 0.5 + 0.5 * std::cos(2 * std::numbers::pi * (turn + shift)); };
    return {colour_byte(wave(0.00)), colour_byte(0.08 + 0.84 * wave(0.10)), colour_byte(0.16 + 0.80 * wave(0.25))};
}

std::vector<pixel> render(const plane_region& region, picture_size size, const rondo::request& req) {
    const double step = full_width / static_cast<double>(region.zoom) / size.width;
    const unsigned limit = max_iterations(region);
    std::vector<pixel> pixels;
    pixels.reserve(std::size_t{size.width} * size.height);
    for (unsigned row = 0; row < size.height; ++row) {
        if (req.is_cancelled()) throw rondo::http_error(503, "The request was cancelled");
        const double y = region.y - step * (row - size.height / 2.0);
        for (unsigned column = 0; column < size.width; ++column) {
            const double x = region.x + step * (column - size.width / 2.0);
            pixels.push_back(colour_of(escape_time(x, y, limit)));
        }
    }
    return pixels;
}

std::string query_of(const plane_region& region) {
    return fmt::format("x={:.15f}&amp;y={:.15f}&amp;zoom={}", region.x, region.y, region.zoom);
}

std::string page_link(const plane_region& region) { return fmt::format("/views?{}#mandelbrot", query_of(region)); }

}  // namespace

plane_region region_of(rondo::request& req) {
    plane_region region;
    region.x = std::clamp(req.query_as<double>("x", region.x), -4.0, 4.0);
    region.y = std::clamp(req.query_as<double>("y", region.y), -4.0, 4.0);
    region.zoom = std::clamp(req.query_as<unsigned long long>("zoom", region.zoom), 1ULL, max_zoom);
    return region;
}

rondo::response mandelbrot(rondo::request& req) {
    const plane_region region = region_of(req);
    const auto side = [&req](std::string_view name, unsigned default_value) {
        return std::clamp(req.query_as<unsigned>(name, default_value), 1u, max_side);
    };
    const picture_size size{side("width", default_width), side("height", default_height)};
    return rondo::bytes(png(render(region, size, req), size.width, size.height), "image/png")
        .field("Cache-Control", "public, max-age=86400");
}

std::string image_link(const plane_region& region) {
    return fmt::format("/mandelbrot.png?{}&amp;width={}&amp;height={}", query_of(region), default_width,
                       default_height);
}

std::string zoom_links(const plane_region& region) {
    constexpr std::array rows{"upper", "middle", "lower"}, columns{"left", "centre", "right"};
    const double third = full_width / static_cast<double>(region.zoom) / 3;
    const double third_of_height = third * default_height / default_width;
    std::string out;
    for (int row = 0; row < 3; ++row)
        for (int column = 0; column < 3; ++column) {
            const plane_region part{region.x + third * (column - 1), region.y - third_of_height * (row - 1),
                                    std::min(region.zoom * 3, max_zoom)};
            out += fmt::format(R"(<a href="{}" aria-label="Zoom in: {} {}"></a>)", page_link(part), rows.at(row),
                               columns.at(column));
        }
    return out;
}

std::string zoom_out_link(const plane_region& region) {
    return page_link(region.zoom > 3 ? plane_region{region.x, region.y, region.zoom / 3} : plane_region{});
}

std::string describe(const plane_region& region) {
    return fmt::format("{}×, around {}{:.6g} {} {:.6g} i", region.zoom, region.x < 0 ? "−" : "", std::abs(region.x),
                       region.y < 0 ? "−" : "+", std::abs(region.y));
}

}  // namespace message_board
