// AsyncClient: the core in a box that can be moved, for someone else's event loop.
#include <utility>

#include "client/async_core.h"
#include "mcplane/client.h"

namespace mcplane {

struct AsyncClient::Impl {
  explicit Impl(const ClientOptions& options) : core(options) {}

  client::AsyncCore core;
  bool processing = false;
};

AsyncClient::AsyncClient(const ClientOptions& options) : impl_(std::make_unique<Impl>(options)) {}
AsyncClient::~AsyncClient() = default;
AsyncClient::AsyncClient(AsyncClient&&) noexcept = default;
AsyncClient& AsyncClient::operator=(AsyncClient&&) noexcept = default;

int AsyncClient::fd() const noexcept { return impl_->core.loop().fd(); }

void AsyncClient::process() {
  impl_->processing = true;
  impl_->core.process();
  impl_->processing = false;
}

void AsyncClient::submit(Task task, OutcomeCallback done) {
  impl_->core.submit(std::move(task), std::move(done));
  if (!impl_->processing) impl_->core.flush();
}

void AsyncClient::submit(Task task, ChunkCallback chunk, OutcomeCallback done) {
  impl_->core.submit(std::move(task), std::move(done), std::move(chunk));
  if (!impl_->processing) impl_->core.flush();
}

bool AsyncClient::cancel(std::string_view task_id) {
  const bool found = impl_->core.cancel(task_id);
  if (!impl_->processing) impl_->core.flush();
  return found;
}

SubscriptionId AsyncClient::subscribe(std::string_view pattern, EventCallback on_event, std::string_view group,
                                      SubscribedCallback subscribed) {
  const auto table = client::subscription_table(pattern, group);
  const SubscriptionId id = impl_->core.subscribe(table, std::move(on_event), std::move(subscribed));
  if (!impl_->processing) impl_->core.flush();
  return id;
}

void AsyncClient::unsubscribe(SubscriptionId id) {
  impl_->core.unsubscribe(id);
  if (!impl_->processing) impl_->core.flush();
}

bool AsyncClient::publish(std::string_view topic, std::string_view payload) {
  const auto status = impl_->core.publish(client::publication_table(topic), std::as_bytes(std::span(payload)));
  if (status == client::PublishStatus::kTooLarge) client::throw_too_large(topic, payload.size());
  if (!impl_->processing) impl_->core.flush();
  return status == client::PublishStatus::kSent;
}

std::uint64_t AsyncClient::missed() const noexcept { return impl_->core.missed(); }

bool AsyncClient::registered() const noexcept { return impl_->core.session().registered(); }

std::uint32_t AsyncClient::node_id() const noexcept { return impl_->core.session().id().value; }

std::size_t AsyncClient::in_flight() const noexcept { return impl_->core.in_flight(); }

}  // namespace mcplane
