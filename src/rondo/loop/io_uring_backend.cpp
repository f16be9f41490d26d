// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/loop/backend.hpp>
#include <rondo/loop/io_uring_operations.hpp>
#include <rondo/loop/io_uring_ring.hpp>

namespace rondo {

using io_uring_operations::fail;
using io_uring_operations::operation;
using io_uring_operations::operation_kind;

namespace {
constexpr int max_cancel_rounds = 4;  // one is usually enough
}

class io_uring_backend final : public backend {
public:
    io_uring_backend() : wake_(eventfd(0, EFD_CLOEXEC)) {
        if (!wake_) fail(errno, "eventfd");
        arm_wake();
    }
    ~io_uring_backend() override {
        ring_.close();
        operations_.for_each_used([this](operation& o) {
            if (o.kind == operation_kind::send && on_released) on_released(o.buffer_owner);
        });
    }

    std::string_view name() const noexcept override { return "io_uring"; }

    void start_accepting(acceptor& a) override {
        operation* o = make_operation(operation_kind::accept, &a);
        a.accepting_ = o;
        ring_.arm_accept(*o, a.fd_);
    }
    void stop_accepting(acceptor& a) noexcept override {
        auto* o = static_cast<operation*>(a.accepting_);
        if (!o || o->cancel_requested) return;
        ring_.cancel(*o);
        for (int i = 0; i < max_cancel_rounds && a.accepting_; ++i) {
            ring_.submit();
            drain_accepts(*o);
        }
        abandon(a.accepting_);
    }

    void attach(stream_socket&) override {}
    void close(stream_socket& s) noexcept override {
        if (s.fd_ < 0) return;
        abandon(s.receive_operation_);
        abandon(s.writable_operation_);
        if (s.send_operation_) static_cast<operation*>(std::exchange(s.send_operation_, nullptr))->owner = nullptr;
        io_uring_sqe* e = ring_.get_sqe();
        io_uring_prep_close(e, s.fd_);
        io_uring_sqe_set_data(e, nullptr);
        s.fd_ = -1;
    }
    void request_input(stream_socket& s) noexcept override {
        s.input_requested_ = true;
        if (s.fd_ < 0) return;
        if (auto* o = static_cast<operation*>(s.receive_operation_)) {
            if (o->kind == operation_kind::receive) return;
            abandon(s.receive_operation_);
        }
        s.receive_operation_ = make_operation(operation_kind::receive, &s);
        ring_.arm_receive(*static_cast<operation*>(s.receive_operation_), s.fd_);
    }
    void pause_input(stream_socket& s) noexcept override {
        s.input_requested_ = false;
        // The operation keeps its owner: input that the kernel has already received must not be lost.
        auto* o = static_cast<operation*>(s.receive_operation_);
        if (o && o->kind == operation_kind::receive) ring_.cancel(*o);
    }

    std::ptrdiff_t send(stream_socket& s, const char* data, std::size_t size, void* buffer_owner) noexcept override {
        operation* o = make_operation(operation_kind::send, &s, buffer_owner);
        s.send_operation_ = o;
        io_uring_sqe* e = ring_.get_sqe();
        io_uring_prep_send(e, s.fd_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        io_uring_sqe_set_data(e, o);
        return send_pending;
    }
    void request_writable(stream_socket& s) noexcept override {
        if (s.writable_operation_) return;
        operation* o = make_operation(operation_kind::writable, &s);
        s.writable_operation_ = o;
        ring_.arm_poll(*o, s.fd_, POLLOUT);
    }

    void poll(poll_operation& op, int fd, int events) override {
        operation* o = make_operation(operation_kind::poll, &op);
        op.polling_ = o;
        op.fd_ = fd;
        ring_.arm_poll(*o, fd, events);
    }
    void cancel(poll_operation& op) noexcept override {
        op.fd_ = -1;
        abandon(op.polling_);
    }

    void watch(descriptor_watch& w, int fd, int events) override {
        if (w.fd_ >= 0) fail(EEXIST, "watch");
        if (fcntl(fd, F_GETFD) < 0) fail(errno, "watch");
        w.fd_ = fd;
        w.events_ = events;
        start_watch(w);
    }
    void change_watch(descriptor_watch& w, int events) override {
        if (w.fd_ < 0) fail(ENOENT, "change_watch");
        if (fcntl(w.fd_, F_GETFD) < 0) fail(errno, "change_watch");
        w.events_ = events;
        abandon(w.polling_);
        start_watch(w);
    }
    void unwatch(descriptor_watch& w) noexcept override {
        w.fd_ = -1;
        // A poll in the kernel would keep the file open, but a close after this call must take effect at once: the peer
        // has to notice it, and the address of a listening socket becomes available.
        if (auto* o = static_cast<operation*>(w.polling_)) ring_.release_file(*o);
        abandon(w.polling_);
    }

    void turn(std::chrono::nanoseconds wait, turn_watcher& watcher) override {
        ring_.submit_and_wait(wait);
        watcher.on_wait_end();
        unsigned head = 0;
        unsigned count = 0;
        io_uring_cqe* cqe = nullptr;
        io_uring_for_each_cqe(&ring_.native(), head, cqe) {
            ++count;
            auto* o = static_cast<operation*>(io_uring_cqe_get_data(cqe));
            if (!o) continue;
            watcher.on_event();
            complete(*o, *cqe);
        }
        ring_.publish_buffers();
        io_uring_cq_advance(&ring_.native(), count);
    }
    bool has_events() const noexcept override { return io_uring_cq_ready(&ring_.native()) > 0; }
    int descriptor() const noexcept override { return -1; }

    void wake() noexcept override {
        std::uint64_t one = 1;
        [[maybe_unused]] ssize_t n = ::write(wake_.value(), &one, sizeof one);
    }

    void abandon_after_fork() noexcept override {
        ring_.abandon_after_fork();
        wake_.reset();
    }

private:
    operation* make_operation(operation_kind type, void* owner, void* buffer_owner = nullptr) {
        return operations_.allocate(type, owner, buffer_owner);
    }
    void start_watch(descriptor_watch& w) {
        operation* o = make_operation(operation_kind::watch, &w);
        w.polling_ = o;
        ring_.arm_poll(*o, w.fd_, w.events_);
    }
    void arm_wake() noexcept {
        io_uring_sqe* e = ring_.get_sqe();
        io_uring_prep_read(e, wake_.value(), &wake_value_, sizeof wake_value_, 0);
        io_uring_sqe_set_data(e, &wake_operation_);
    }

    // Detaches the owner; the operation ends on its own once the kernel has cancelled it.
    void abandon(void*& slot) noexcept {
        auto* o = static_cast<operation*>(std::exchange(slot, nullptr));
        if (!o) return;
        o->owner = nullptr;
        ring_.cancel(*o);
    }

    void complete(operation& o, io_uring_cqe& cqe) noexcept {
        switch (o.kind) {
            case operation_kind::none: return;
            case operation_kind::receive: return complete_receive(o, cqe);
            case operation_kind::hang_up: return complete_hang_up(o, cqe);
            case operation_kind::send: return complete_send(o, cqe);
            case operation_kind::accept: return complete_accept(o, cqe);
            case operation_kind::poll: return complete_poll(o, cqe);
            case operation_kind::watch: return complete_watch(o, cqe);
            case operation_kind::writable: return complete_writable(o);
            case operation_kind::wake: return arm_wake();
        }
    }

    void complete_receive(operation& o, const io_uring_cqe& cqe) noexcept {
        auto* s = static_cast<stream_socket*>(o.owner);
        if (cqe.flags & IORING_CQE_F_BUFFER) {
            unsigned id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
            if (s && cqe.res > 0) {
                s->input_requested_ = false;
                s->received(turn_, ring_.input(id, static_cast<std::size_t>(cqe.res)));
            }
            ring_.recycle_buffer(id);
        }
        if (!(cqe.flags & IORING_CQE_F_MORE)) finish_receive(o, cqe.res);
    }
    // The kernel has ended a receive: on a cancellation, for lack of buffers, occasionally on its own, or permanently.
    void finish_receive(operation& o, int result) noexcept {
        auto* s = static_cast<stream_socket*>(o.owner);
        bool ending = std::exchange(o.cancel_requested, false);
        bool temporary =
            result > 0 || result == -ENOBUFS || result == -ECANCELED || result == -EINTR || result == -EAGAIN;
        if (s && temporary && (s->input_requested_ || !ending)) {
            ring_.publish_buffers();
            return ring_.arm_receive(o, s->fd_);
        }
        operations_.free(o);
        if (!s) return;
        s->receive_operation_ = nullptr;
        if (!temporary) report_input_end(*s, -result);
    }
    void report_input_end(stream_socket& s, int error) noexcept {
        if (s.input_requested_) {
            s.input_requested_ = false;
            s.receive_ended(error);
        } else {
            if (!error) watch_for_hang_up(s);
            s.peer_closed(error != 0, error);
        }
    }

    // The peer shut down its side. The poll reports that immediately, and again when both directions are closed.
    void watch_for_hang_up(stream_socket& s) noexcept {
        operation* o = make_operation(operation_kind::hang_up, &s);
        s.receive_operation_ = o;
        ring_.arm_multishot_poll(*o, s.fd_, 0);
    }
    void complete_hang_up(operation& o, const io_uring_cqe& cqe) noexcept {
        auto* s = static_cast<stream_socket*>(o.owner);
        bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
        bool reset = cqe.res > 0 && (cqe.res & (POLLERR | POLLHUP));
        if (!more) operations_.free(o);
        if (!s || (more && !reset)) return;
        if (more) abandon(s->receive_operation_);
        s->receive_operation_ = nullptr;
        if (reset) s->peer_closed(true, 0);
    }

    void complete_send(operation& o, const io_uring_cqe& cqe) noexcept {
        if (auto* s = static_cast<stream_socket*>(o.owner)) {
            s->send_operation_ = nullptr;
            s->sent(cqe.res, o.buffer_owner);
            operations_.free(o);
        } else {
            if (on_released) on_released(o.buffer_owner);
            operations_.free(o);
        }
    }

    void complete_accept(operation& o, io_uring_cqe& cqe) noexcept {
        cqe.user_data = 0;  // drain_accepts() may see this entry again
        auto* a = static_cast<acceptor*>(o.owner);
        int result = cqe.res;
        bool ending = o.cancel_requested;
        // Before the owner's callback, which may do anything with the operation.
        if (!(cqe.flags & IORING_CQE_F_MORE)) {
            if (a && !ending) {
                ring_.arm_accept(o, a->fd_);
            } else {
                if (a) a->accepting_ = nullptr;
                operations_.free(o);
            }
        }
        if (result >= 0) {
            if (a) a->accepted(result);
            else ::close(result);
        } else if (a && !ending && result != -EINTR && result != -ECONNABORTED && result != -EAGAIN) {
            a->accept_failed(-result);
        }
    }
    // The kernel accepted these before the cancellation, so they belong to this process.
    void drain_accepts(operation& o) noexcept {
        unsigned head = 0;
        io_uring_cqe* cqe = nullptr;
        io_uring_for_each_cqe(&ring_.native(), head, cqe) {
            if (io_uring_cqe_get_data(cqe) == &o) complete_accept(o, *cqe);
        }
    }

    void complete_poll(operation& o, const io_uring_cqe& cqe) noexcept {
        auto* op = static_cast<poll_operation*>(o.owner);
        operations_.free(o);
        if (!op) return;
        op->polling_ = nullptr;
        op->fd_ = -1;
        op->polled(cqe.res < 0 ? POLLERR : cqe.res);
    }

    void complete_watch(operation& o, const io_uring_cqe& cqe) noexcept {
        auto* w = static_cast<descriptor_watch*>(o.owner);
        bool more = (cqe.flags & IORING_CQE_F_MORE) != 0;
        if (!w) {
            if (!more) operations_.free(o);
            return;
        }
        if (cqe.res == -EBADF) {  // closed before the poll was submitted
            w->polling_ = nullptr;
            return operations_.free(o);
        }
        int ready = cqe.res < 0 ? POLLERR : cqe.res & (w->events_ | POLLERR | POLLHUP);
        if (ready) return report_watch(o, *w, ready, more);
        // Each poll also reports a half-closed connection, which was not asked for: after a one-shot poll has reported
        // that, the next one would end immediately.
        if (!more) ring_.arm_multishot_poll(o, w->fd_, w->events_);
    }
    void report_watch(operation& o, descriptor_watch& w, int ready, bool more) noexcept {
        operation* next = &o;
        if (more) {
            ring_.release_file(o);
            abandon(w.polling_);
            w.polling_ = next = make_operation(operation_kind::watch, &w);
        }
        next->cancel_requested = true;  // the kernel has no poll to cancel during the callback
        w.ready(ready);
        if (!next->owner) return operations_.free(*next);
        next->cancel_requested = false;
        // Submitted by the next turn, so that input that the owner reads until then is not reported again.
        ring_.arm_poll(*next, w.fd_, w.events_);
    }

    void complete_writable(operation& o) noexcept {
        auto* s = static_cast<stream_socket*>(o.owner);
        operations_.free(o);
        if (s) s->writable_operation_ = nullptr;
        if (s) s->writable();
    }

    io_uring_operations::ring ring_;
    unique_fd wake_;
    std::uint64_t wake_value_ = 0;
    io_uring_operations::operation_pool operations_;
    operation wake_operation_{nullptr, nullptr, operation_kind::wake, false};
    const loop_turn turn_;
};

bool io_uring_available() noexcept {
    static const bool available = io_uring_operations::ring::is_available();
    return available;
}

std::unique_ptr<backend> make_io_uring_backend() { return std::make_unique<io_uring_backend>(); }

}  // namespace rondo
