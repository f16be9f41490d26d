// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/routing/view.hpp>

namespace rondo {

std::string_view to_string(view_kind kind) noexcept {
    switch (kind) {
        case view_kind::async: return "async";
        case view_kind::sync: return "sync";
        case view_kind::cpu: return "cpu";
        case view_kind::isolated: return "isolated";
    }
    return {};
}

}  // namespace rondo
