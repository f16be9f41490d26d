// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/struct_binding.hpp>

#include <gtest/gtest.h>

#include <rondo/handler/error.hpp>

namespace rondo {

struct order {
    std::string name;
    int count = 0;
    bool gift = false;
    std::optional<double> price;
    std::vector<int> sizes;
};
RONDO_DESCRIBE(order, name, count, gift, price, sizes);

namespace {

form_data form_of(std::string_view body) { return parse_form(body, "application/x-www-form-urlencoded"); }

TEST(Structs, binds_a_form_to_a_struct) {
    const order o = form_as<order>(form_of("name=Tee&count=3&gift=on&price=&sizes=4&sizes=5&more=x"));
    EXPECT_EQ(o.name, "Tee");
    EXPECT_EQ(o.count, 3);
    EXPECT_TRUE(o.gift);
    EXPECT_EQ(o.price, std::nullopt);
    EXPECT_EQ(o.sizes, (std::vector<int>{4, 5}));
    EXPECT_FALSE(form_as<order>(form_of("name=&count=1")).gift);
}

TEST(Structs, reports_all_errors_of_a_form) {
    const auto filled = bind_form<order>(form_of("count=many&price=x&sizes=1&sizes=y"));
    EXPECT_FALSE(filled.is_valid());
    EXPECT_EQ(filled.errors.size(), 4U);
    try {
        (void)form_as<order>(form_of("count=many"));
        FAIL() << "nothing was thrown";
    } catch (const http_error& e) {
        EXPECT_EQ(e.code(), http::status::unprocessable_content);
        EXPECT_STREQ(e.what(), "'name' is missing; 'count' is not a whole number in range.");
    }
}

}  // namespace
}  // namespace rondo
