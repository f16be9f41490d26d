// SPDX-License-Identifier: Apache-2.0
// The same lower bound as ceiling_epoll, over io_uring: ceiling_io_uring PORT [close] [direct] [skip] [plain]
//
// Multishot accept, multishot receive into one ring of provided buffers, one send per burst of requests. Completions
// run only inside this program's io_uring_enter: one system call per iteration of the loop.
//   close    a connection per request: receive, then a send linked to a close
//   direct   accepted sockets are in the file table of the ring, not of the process
//   skip     a successful send posts no completion; two sends of one connection are then unordered
//   plain    without SINGLE_ISSUER, DEFER_TASKRUN and COOP_TASKRUN, for comparison
#include <algorithm>
#include <cstdlib>
#include <exception>
#include <vector>

#include <fmt/core.h>

#include "../uring.hpp"
#include "canned.hpp"

namespace {

enum operation : std::uint64_t { op_accept, op_receive, op_send, op_close };

struct options {
    int port = 0;
    bool close_after = false, direct = false, skip = false, plain = false;
};

struct connection {
    std::uint32_t pending = 0;  // responses not yet submitted to the kernel
    std::uint16_t generation = 0;
    std::uint8_t matched = 0;
    bool sending = false, open = false, closing = false;
};

class server {
public:
    explicit server(const options& o)
        : options_(o), block_(ceiling::responses()), ring_(2048, 16384, 4096, 4096, o.plain ? 0 : bench::uring::tuned) {
        const unsigned files = bench::raise_descriptor_limit();
        listener_ = bench::listen_on(o.port, 0);
        if (o.direct)
            bench::uring::checked(io_uring_register_files_sparse(ring_.raw(), std::min(files, 65536U)),
                                  "io_uring_register_files");
    }

    [[noreturn]] void run() {
        start_accept();
        for (;;) {
            const int ms = delayed_.expire([this](const auto& entry) { respond_delayed(entry); });
            __kernel_timespec timeout{};
            timeout.tv_sec = ms / 1000;
            timeout.tv_nsec = ms % 1000 * 1'000'000LL;
            ring_.run_once(ms < 0 ? nullptr : &timeout, [this](const io_uring_cqe& done) { handle(done); });
        }
    }

private:
    void handle(const io_uring_cqe& done) {
        if (done.user_data >= ~std::uint64_t{0} - 1) return;  // the timeout that liburing submits
        const int fd = static_cast<int>(static_cast<std::uint32_t>(done.user_data));
        switch (static_cast<operation>(done.user_data >> 32)) {
            case op_accept: return on_accept(done);
            case op_receive: return on_receive(fd, done);
            case op_send: return on_sent(fd);
            case op_close: return;
        }
    }

    // Must follow the prep function, which clears user_data.
    void set_user_data(io_uring_sqe* s, operation op, int fd) const noexcept {
        io_uring_sqe_set_data64(s, op << 32 | static_cast<std::uint32_t>(fd));
        if (options_.direct && op != op_accept && op != op_close) s->flags |= IOSQE_FIXED_FILE;
    }

    void start_accept() {
        io_uring_sqe* s = ring_.get_sqe();
        if (options_.direct) io_uring_prep_multishot_accept_direct(s, listener_, nullptr, nullptr, 0);
        else io_uring_prep_multishot_accept(s, listener_, nullptr, nullptr, 0);
        set_user_data(s, op_accept, listener_);
    }

    void on_accept(const io_uring_cqe& done) {
        if (done.res >= 0) {
            const auto index = static_cast<std::size_t>(done.res);
            if (index >= connections_.size()) connections_.resize(index * 2 + 64);
            connections_[index].open = true;
            receive(done.res);
        }
        if (!(done.flags & IORING_CQE_F_MORE)) start_accept();
    }

    void receive(int fd) {
        io_uring_sqe* s = ring_.get_sqe();
        // A multishot receive holds the socket, so a close would not reach the peer.
        if (options_.close_after) io_uring_prep_recv(s, fd, nullptr, 0, 0);
        else io_uring_prep_recv_multishot(s, fd, nullptr, 0, 0);
        s->buf_group = bench::uring::group;
        s->flags |= IOSQE_BUFFER_SELECT;
        set_user_data(s, op_receive, fd);
    }

    void on_receive(int fd, const io_uring_cqe& done) {
        if (done.res == -ENOBUFS) return receive(fd);
        if (done.res <= 0) return drop(fd);
        connection& c = connection_at(fd);
        const auto bytes = ring_.bytes(done);
        const std::string_view text(bytes.data(), bytes.size());
        const std::size_t heads = ceiling::count_heads(c.matched, text);
        const unsigned ms = heads == 1 ? ceiling::delayed_responses::delay_ms(text) : 0;
        ring_.release_buffer(done);
        if (ms) {
            delayed_.add(ms, fd, c.generation);
        } else {
            c.pending += static_cast<std::uint32_t>(heads);
            flush(fd);
        }
        if (!(done.flags & IORING_CQE_F_MORE) && !(options_.close_after && heads)) receive(fd);
    }

    void respond_delayed(const ceiling::delayed_responses::entry& due) {
        connection& c = connection_at(due.fd);
        if (c.generation != due.generation || !c.open) return;
        ++c.pending;
        flush(due.fd);
    }

    void flush(int fd) {
        connection& c = connection_at(fd);
        if (c.sending || !c.pending) return;
        const std::uint32_t n = std::min<std::uint32_t>(c.pending, ceiling::batch);
        c.pending -= n;
        ring_.reserve(2);
        io_uring_sqe* s = ring_.get_sqe();
        io_uring_prep_send(s, fd, block_.data(), n * ceiling::response.size(), MSG_NOSIGNAL | MSG_WAITALL);
        set_user_data(s, op_send, fd);
        if (options_.close_after) {
            s->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
            reset(fd);
            close_now(fd);
        } else if (options_.skip) {
            s->flags |= IOSQE_CQE_SKIP_SUCCESS;
        } else {
            c.sending = true;
        }
    }

    void on_sent(int fd) {
        // Only a failed send posts a completion here; it also cancelled the close linked to it.
        if (options_.close_after) return close_now(fd);
        if (options_.skip) return;
        connection& c = connection_at(fd);
        c.sending = false;
        if (c.closing) drop(fd);
        else flush(fd);
    }

    void drop(int fd) {
        connection& c = connection_at(fd);
        if (c.sending) {
            c.closing = true;
            return;
        }
        reset(fd);
        close_now(fd);
    }

    void reset(int fd) {
        const auto next_generation = static_cast<std::uint16_t>(connection_at(fd).generation + 1);
        connection_at(fd) = connection{};
        connection_at(fd).generation = next_generation;
    }

    void close_now(int fd) {
        io_uring_sqe* s = ring_.get_sqe();
        if (options_.direct) io_uring_prep_close_direct(s, static_cast<unsigned>(fd));
        else io_uring_prep_close(s, fd);
        set_user_data(s, op_close, fd);
        s->flags |= IOSQE_CQE_SKIP_SUCCESS;
    }

    connection& connection_at(int fd) noexcept { return connections_[static_cast<std::size_t>(fd)]; }

    options options_;
    std::string block_;
    bench::uring ring_;
    std::vector<connection> connections_;
    ceiling::delayed_responses delayed_;
    int listener_ = -1;
};

}  // namespace

int main(int argc, char** argv) try {
    const std::vector<std::string_view> arguments(argv + 1, argv + argc);
    const auto has = [&](std::string_view argument) {
        return std::find(arguments.begin(), arguments.end(), argument) != arguments.end();
    };
    if (arguments.empty())
        return fmt::print(stderr, "usage: ceiling_io_uring PORT [close] [direct] [skip] [plain]\n"), 2;
    options o;
    o.port = std::atoi(argv[1]);
    o.close_after = has("close");
    o.direct = has("direct");
    o.skip = has("skip");
    o.plain = has("plain");
    server(o).run();
} catch (const std::exception& e) {
    fmt::print(stderr, "ceiling_io_uring: {}\n", e.what());
    return 1;
}
