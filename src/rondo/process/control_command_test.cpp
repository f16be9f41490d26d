// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/control_command.hpp>

#include <cerrno>

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace rondo::process {
namespace {

TEST(order, is_read_as_it_was_written) {
    for (const order& o : {order{order::kind::reload}, order{order::kind::end}, order{order::kind::scale, 1},
                           order{order::kind::scale, order::most_children}}) {
        const auto read = order::parse(o.text());
        ASSERT_TRUE(read) << o.text();
        EXPECT_EQ(read->what, o.what);
        EXPECT_EQ(read->children, o.children);
    }
}

TEST(order, anything_else_is_none) {
    for (const char* text : {"", "Reload", "reload ", "kill", "scale", "scale ", "scale 0", "scale 257", "scale -1",
                             "scale 4x", "scale 99999999999999999999999"})
        EXPECT_FALSE(order::parse(text)) << text;
}

TEST(order, goes_from_one_end_to_the_other_and_nobody_waits) {
    order_line line = order_line::make();
    EXPECT_FALSE(receive(line.reader.value()));
    EXPECT_EQ(send(line.writer.value(), {order::kind::scale, 3}), 0);
    EXPECT_EQ(send(line.writer.value(), {order::kind::end}), 0);
    EXPECT_EQ(receive(line.reader.value()), "scale 3");
    EXPECT_EQ(receive(line.reader.value()), "end");
    EXPECT_FALSE(receive(line.reader.value()));
    int error = 0;
    for (int i = 0; error == 0 && i < 1'000'000; ++i) error = send(line.writer.value(), {});
    EXPECT_EQ(error, EAGAIN);
}

TEST(order, that_is_too_long_is_read_as_none) {
    order_line line = order_line::make();
    const std::string noise(5000, 'x');
    ASSERT_EQ(::send(line.writer.value(), noise.data(), noise.size(), 0), 5000);
    EXPECT_EQ(send(line.writer.value(), {order::kind::reload}), 0);
    const auto first = receive(line.reader.value());
    ASSERT_TRUE(first);
    EXPECT_FALSE(order::parse(*first));
    EXPECT_EQ(receive(line.reader.value()), "reload");
    // Nor is one whose beginning, as much as is looked at, is an order.
    const std::string padded = "scale " + std::string(57, '0') + "42";
    ASSERT_EQ(::send(line.writer.value(), padded.data(), padded.size(), 0), static_cast<ssize_t>(padded.size()));
    const auto cut = receive(line.reader.value());
    ASSERT_TRUE(cut);
    EXPECT_FALSE(order::parse(*cut));
    // An empty one does not hide those behind it.
    ASSERT_EQ(::send(line.writer.value(), "", 0, 0), 0);
    EXPECT_EQ(send(line.writer.value(), {order::kind::end}), 0);
    EXPECT_EQ(receive(line.reader.value()), "");
    EXPECT_EQ(receive(line.reader.value()), "end");
    line.reader.reset();
    EXPECT_EQ(send(line.writer.value(), {order::kind::end}), EPIPE);
}

}  // namespace
}  // namespace rondo::process
