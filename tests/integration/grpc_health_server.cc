// A gRPC server with nothing but gRPC's own health service: `grpc_health_server ADDRESS:PORT SERVICE`. SIGUSR1: SERVICE
// and the server as a whole serve no more; SIGUSR2: they serve again; SIGTERM ends it.
#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <signal.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: grpc_health_server ADDRESS:PORT SERVICE\n");
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGUSR1, SIGUSR2, SIGTERM}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  grpc::EnableDefaultHealthCheckService(true);
  // A server of the health service alone is refused; this one knows no other method.
  grpc::CallbackGenericService nothing_else;
  grpc::ServerBuilder builder;
  builder.RegisterCallbackGenericService(&nothing_else);
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials());
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  server->GetHealthCheckService()->SetServingStatus(argv[2], true);
  int received = 0;
  while (sigwait(&signals, &received) == 0 && received != SIGTERM) {
    const bool serves = received == SIGUSR2;
    server->GetHealthCheckService()->SetServingStatus(serves);
    server->GetHealthCheckService()->SetServingStatus(argv[2], serves);
  }
  server->Shutdown();
  return 0;
}
