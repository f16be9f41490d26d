// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <rondo/web/request.hpp>
#include <rondo/web/response.hpp>

namespace message_board {

/// A part of the complex plane: the picture shows 3.6 / zoom of its width around the centre.
struct place {
    double x = -0.65;
    double y = 0;
    unsigned long long zoom = 1;  ///< to 2^40, where a double's digits end
};

/// From ?x=&y=&zoom=; http_error 400 when they are no numbers.
[[nodiscard]] place place_of(rondo::request& req);

/// GET /mandelbrot.png?x=&y=&zoom=&width=&height=: computes the picture. CPU work, some hundred milliseconds: stops
/// when nobody waits for it any more.
[[nodiscard]] rondo::response mandelbrot(rondo::request& req);

/// For the page, HTML: the picture's address; nine links that lie on the picture and zoom into a part of it each; the
/// address of the place from farther away; a sentence about the place.
[[nodiscard]] std::string image_link(const place& at);
[[nodiscard]] std::string zoom_links(const place& at);
[[nodiscard]] std::string out_link(const place& at);
[[nodiscard]] std::string describe(const place& at);

}  // namespace message_board
