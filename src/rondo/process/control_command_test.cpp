// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/control_command.hpp>

#include <cerrno>

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace rondo::process {
namespace {

TEST(ControlCommand, round_trips_as_text) {
    for (const control_command& o :
         {control_command{control_command::kind::reload}, control_command{control_command::kind::shut_down},
          control_command{control_command::kind::scale, 1},
          control_command{control_command::kind::scale, control_command::max_children}}) {
        const auto read = control_command::parse(o.text());
        ASSERT_TRUE(read) << o.text();
        EXPECT_EQ(read->action, o.action);
        EXPECT_EQ(read->children, o.children);
    }
}

TEST(ControlCommand, rejects_other_text) {
    for (const char* text : {"", "Reload", "reload ", "kill", "scale", "scale ", "scale 0", "scale 257", "scale -1",
                             "scale 4x", "scale 99999999999999999999999"})
        EXPECT_FALSE(control_command::parse(text)) << text;
}

TEST(ControlCommand, passes_the_channel_without_blocking) {
    control_channel channel = control_channel::make();
    EXPECT_FALSE(receive(channel.reader.value()));
    EXPECT_EQ(send(channel.writer.value(), {control_command::kind::scale, 3}), 0);
    EXPECT_EQ(send(channel.writer.value(), {control_command::kind::shut_down}), 0);
    EXPECT_EQ(receive(channel.reader.value()), "scale 3");
    EXPECT_EQ(receive(channel.reader.value()), "end");
    EXPECT_FALSE(receive(channel.reader.value()));
    int error = 0;
    for (int i = 0; error == 0 && i < 1'000'000; ++i) error = send(channel.writer.value(), {});
    EXPECT_EQ(error, EAGAIN);
}

TEST(ControlCommand, rejects_a_message_that_is_too_long) {
    control_channel channel = control_channel::make();
    const std::string noise(5000, 'x');
    ASSERT_EQ(::send(channel.writer.value(), noise.data(), noise.size(), 0), 5000);
    EXPECT_EQ(send(channel.writer.value(), {control_command::kind::reload}), 0);
    const auto first = receive(channel.reader.value());
    ASSERT_TRUE(first);
    EXPECT_FALSE(control_command::parse(*first));
    EXPECT_EQ(receive(channel.reader.value()), "reload");
    // Not even when its truncated beginning would be a valid command.
    const std::string padded = "scale " + std::string(57, '0') + "42";
    ASSERT_EQ(::send(channel.writer.value(), padded.data(), padded.size(), 0), static_cast<ssize_t>(padded.size()));
    const auto truncated = receive(channel.reader.value());
    ASSERT_TRUE(truncated);
    EXPECT_FALSE(control_command::parse(*truncated));
    // An empty message does not hide the next one.
    ASSERT_EQ(::send(channel.writer.value(), "", 0, 0), 0);
    EXPECT_EQ(send(channel.writer.value(), {control_command::kind::shut_down}), 0);
    EXPECT_EQ(receive(channel.reader.value()), "");
    EXPECT_EQ(receive(channel.reader.value()), "end");
    channel.reader.reset();
    EXPECT_EQ(send(channel.writer.value(), {control_command::kind::shut_down}), EPIPE);
}

}  // namespace
}  // namespace rondo::process
