// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/loop/backend.hpp>
#include <rondo/loop/io_uring_operations.hpp>

namespace rondo {

using io_uring_operations::operation;
using io_uring_operations::operation_kind;

namespace {

constexpr unsigned submission_entries = 2048;
constexpr unsigned completion_entries = 16384;
constexpr unsigned buffer_count = 512;  // a power of two
constexpr unsigned buffer_size = 4096;
constexpr int buffer_group = 0;
constexpr int max_cancel_rounds = 4;  // one is usually enough
constexpr unsigned setup_flags =
    IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN;

[[noreturn]] void fail(int error, const char* call) { throw std::system_error(error, std::generic_category(), call); }

void* map(std::size_t size) {
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED) fail(errno, "mmap");
    return p;
}

}  // namespace

class io_uring_backend final : public backend {
public:
    io_uring_backend() : wake_(eventfd(0, EFD_CLOEXEC)) {
        if (!wake_) fail(errno, "eventfd");
        io_uring_params params{};
        params.flags = setup_flags;
        params.cq_entries = completion_entries;
        if (int e = io_uring_queue_init_params(submission_entries, &ring_, &params)) fail(-e, "io_uring_queue_init");
        io_uring_ring_dontfork(&ring_);
        io_uring_register_ring_fd(&ring_);
        register_buffers();
        arm_wake();
    }
    ~io_uring_backend() override {
        io_uring_submit(&ring_);  // closes of descriptors may be pending
        io_uring_queue_exit(&ring_);
        operations_.for_each_used([this](operation& o) {
            if (o.kind == operation_kind::send && on_released) on_released(o.buffer_owner);
        });
        munmap(buffers_, buffer_count * sizeof(io_uring_buf));
        munmap(buffer_memory_, std::size_t{buffer_count} * buffer_size);
    }

    std::string_view name() const noexcept override { return "io_uring"; }

    void start_accepting(acceptor& a) override {
        operation* o = make_operation(operation_kind::accept, &a);
        a.accepting_ = o;
        arm_accept(o, a.fd_);
    }
    void stop_accepting(acceptor& a) noexcept override {
        auto* o = static_cast<operation*>(a.accepting_);
        if (!o || o->cancel_requested) return;
        request_cancel(*o);
        for (int i = 0; i < max_cancel_rounds && a.accepting_; ++i) {
            io_uring_submit_and_get_events(&ring_);
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
        io_uring_sqe* e = get_sqe();
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
        arm_receive(static_cast<operation*>(s.receive_operation_), s.fd_);
    }
    void pause_input(stream_socket& s) noexcept override {
        s.input_requested_ = false;
        // The operation keeps its owner: input that the kernel has already received must not be lost.
        auto* o = static_cast<operation*>(s.receive_operation_);
        if (o && o->kind == operation_kind::receive) request_cancel(*o);
    }

    std::ptrdiff_t send(stream_socket& s, const char* data, std::size_t size, void* buffer_owner) noexcept override {
        operation* o = make_operation(operation_kind::send, &s, buffer_owner);
        s.send_operation_ = o;
        io_uring_sqe* e = get_sqe();
        io_uring_prep_send(e, s.fd_, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        io_uring_sqe_set_data(e, o);
        return send_pending;
    }
    void request_writable(stream_socket& s) noexcept override {
        if (s.writable_operation_) return;
        operation* o = make_operation(operation_kind::writable, &s);
        s.writable_operation_ = o;
        arm_poll(o, s.fd_, POLLOUT);
    }

    void poll(poll_operation& op, int fd, int events) override {
        operation* o = make_operation(operation_kind::poll, &op);
        op.polling_ = o;
        op.fd_ = fd;
        arm_poll(o, fd, events);
    }
    void cancel(poll_operation& op) noexcept override {
        op.fd_ = -1;
        abandon(op.polling_);
    }

    void turn(std::chrono::nanoseconds wait, turn_watcher& watcher) override {
        submit_and_wait(wait);
        watcher.on_wait_end();
        unsigned head = 0;
        unsigned count = 0;
        io_uring_cqe* cqe = nullptr;
        io_uring_for_each_cqe(&ring_, head, cqe) {
            ++count;
            auto* o = static_cast<operation*>(io_uring_cqe_get_data(cqe));
            if (!o) continue;
            watcher.on_event();
            complete(*o, *cqe);
        }
        publish_buffers();
        io_uring_cq_advance(&ring_, count);
    }

    void wake() noexcept override {
        std::uint64_t one = 1;
        [[maybe_unused]] ssize_t n = ::write(wake_.value(), &one, sizeof one);
    }

private:
    operation* make_operation(operation_kind type, void* owner, void* buffer_owner = nullptr) {
        return operations_.allocate(type, owner, buffer_owner);
    }
    void register_buffers() {
        buffers_ = static_cast<io_uring_buf_ring*>(map(buffer_count * sizeof(io_uring_buf)));
        buffer_memory_ = static_cast<char*>(map(std::size_t{buffer_count} * buffer_size));
        io_uring_buf_reg registration{};
        registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffers_);
        registration.ring_entries = buffer_count;
        registration.bgid = buffer_group;
        if (int e = io_uring_register_buf_ring(&ring_, &registration, 0)) fail(-e, "io_uring_register_buf_ring");
        io_uring_buf_ring_init(buffers_);
        for (unsigned i = 0; i < buffer_count; ++i) recycle_buffer(i);
        publish_buffers();
    }
    void recycle_buffer(unsigned id) noexcept {
        io_uring_buf_ring_add(buffers_, buffer_memory_ + std::size_t{id} * buffer_size, buffer_size,
                              static_cast<unsigned short>(id), io_uring_buf_ring_mask(buffer_count),
                              static_cast<int>(recycled_++));
    }
    void publish_buffers() noexcept {
        if (recycled_) io_uring_buf_ring_advance(buffers_, static_cast<int>(std::exchange(recycled_, 0)));
    }

    io_uring_sqe* get_sqe() noexcept {
        io_uring_sqe* e = io_uring_get_sqe(&ring_);
        while (!e) {
            io_uring_submit(&ring_);
            e = io_uring_get_sqe(&ring_);
        }
        return e;
    }
    void arm_accept(operation* o, int fd) noexcept {
        io_uring_sqe* e = get_sqe();
        io_uring_prep_multishot_accept(e, fd, nullptr, nullptr, SOCK_CLOEXEC);
        io_uring_sqe_set_data(e, o);
    }
    void arm_receive(operation* o, int fd) noexcept {
        io_uring_sqe* e = get_sqe();
        io_uring_prep_recv_multishot(e, fd, nullptr, 0, 0);
        e->buf_group = buffer_group;
        e->flags |= IOSQE_BUFFER_SELECT;
        io_uring_sqe_set_data(e, o);
    }
    void arm_poll(operation* o, int fd, int events) noexcept {
        io_uring_sqe* e = get_sqe();
        io_uring_prep_poll_add(e, fd, static_cast<unsigned>(events));
        io_uring_sqe_set_data(e, o);
    }
    void arm_wake() noexcept {
        io_uring_sqe* e = get_sqe();
        io_uring_prep_read(e, wake_.value(), &wake_value_, sizeof wake_value_, 0);
        io_uring_sqe_set_data(e, &wake_operation_);
    }

    // Detaches the owner; the operation ends on its own once the kernel has cancelled it.
    void abandon(void*& slot) noexcept {
        auto* o = static_cast<operation*>(std::exchange(slot, nullptr));
        if (!o) return;
        o->owner = nullptr;
        request_cancel(*o);
    }
    void request_cancel(operation& o) noexcept {
        if (std::exchange(o.cancel_requested, true)) return;
        io_uring_sqe* e = get_sqe();
        io_uring_prep_cancel(e, &o, 0);
        io_uring_sqe_set_data(e, nullptr);
    }

    void submit_and_wait(std::chrono::nanoseconds wait) {
        int result = 0;
        if (wait.count() == 0) {
            result = io_uring_submit_and_get_events(&ring_);
        } else if (wait.count() < 0) {
            result = io_uring_submit_and_wait(&ring_, 1);
        } else {
            __kernel_timespec limit{};
            limit.tv_sec = wait.count() / 1'000'000'000;
            limit.tv_nsec = wait.count() % 1'000'000'000;
            io_uring_cqe* first = nullptr;
            result = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &limit, nullptr);
        }
        if (result < 0 && result != -ETIME && result != -EINTR && result != -EAGAIN && result != -EBUSY)
            fail(-result, "io_uring_enter");
    }

    void complete(operation& o, io_uring_cqe& cqe) noexcept {
        switch (o.kind) {
            case operation_kind::none: return;
            case operation_kind::receive: return complete_receive(o, cqe);
            case operation_kind::hang_up: return complete_hang_up(o, cqe);
            case operation_kind::send: return complete_send(o, cqe);
            case operation_kind::accept: return complete_accept(o, cqe);
            case operation_kind::poll: return complete_poll(o, cqe);
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
                s->received(turn_, {buffer_memory_ + std::size_t{id} * buffer_size, static_cast<std::size_t>(cqe.res)});
            }
            recycle_buffer(id);
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
            publish_buffers();
            return arm_receive(&o, s->fd_);
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
        io_uring_sqe* e = get_sqe();
        io_uring_prep_poll_multishot(e, s.fd_, 0);
        io_uring_sqe_set_data(e, o);
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
                arm_accept(&o, a->fd_);
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
        io_uring_for_each_cqe(&ring_, head, cqe) {
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
    void complete_writable(operation& o) noexcept {
        auto* s = static_cast<stream_socket*>(o.owner);
        operations_.free(o);
        if (s) s->writable_operation_ = nullptr;
        if (s) s->writable();
    }

    io_uring ring_{};
    unique_fd wake_;
    std::uint64_t wake_value_ = 0;
    io_uring_operations::operation_pool operations_;
    operation wake_operation_{nullptr, nullptr, operation_kind::wake, false};
    io_uring_buf_ring* buffers_ = nullptr;
    char* buffer_memory_ = nullptr;
    unsigned recycled_ = 0;
    const loop_turn turn_;
};

bool io_uring_available() noexcept {
    static const bool available = [] {
        io_uring ring{};
        io_uring_params params{};
        params.flags = setup_flags;
        params.cq_entries = 16;
        if (io_uring_queue_init_params(8, &ring, &params)) return false;
        io_uring_queue_exit(&ring);
        return true;
    }();
    return available;
}

std::unique_ptr<backend> make_io_uring_backend() { return std::make_unique<io_uring_backend>(); }

}  // namespace rondo
