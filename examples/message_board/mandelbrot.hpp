// SPDX-License-Identifier: Apache-2.0
// The CPU view that renders the Mandelbrot set, and the links of its page.
#pragma once

#include <string>

#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>

namespace message_board {

/// A part of the complex plane: the picture shows a width of 3.6 / zoom around the centre.
struct plane_region {
    double x = -0.65;
    double y = 0;
    unsigned long long zoom = 1;  ///< up to 2^40, the limit of double precision
};

/// From ?x=&y=&zoom=; throws http_error 400 when one is not a number.
[[nodiscard]] plane_region region_of(rondo::request& req);

/// GET /mandelbrot.png?x=&y=&zoom=&width=&height=: renders the picture. CPU work, some hundred milliseconds;
/// stops when the request is cancelled.
[[nodiscard]] rondo::response mandelbrot(rondo::request& req);

/// HTML for the page: the URL of the picture; nine links that cover the picture, each zooming into one part; the URL of
/// the same region zoomed out; a description of the region.
[[nodiscard]] std::string image_link(const plane_region& region);
[[nodiscard]] std::string zoom_links(const plane_region& region);
[[nodiscard]] std::string zoom_out_link(const plane_region& region);
[[nodiscard]] std::string describe(const plane_region& region);

}  // namespace message_board
