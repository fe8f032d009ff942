// Pub/Sub on a loopback port: Google's own fake, pstest, with the service's documented limits enforced before it (strict.go),
// faults on demand (faults.go), and a control port that also answers for Cloud Monitoring (control.go).
// Prints one line of JSON when it is ready, and ends when its stdin does.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/grpc"
)

const mostMessageBytes = 32 << 20 // so that what is too large for the service is refused by strict.go and not by gRPC

func main() {
	var settings faultSettings
	if len(os.Args) > 1 {
		must(json.Unmarshal([]byte(os.Args[1]), &settings))
	}
	book := newBook()
	lock := &keeper{}
	fake := pstest.NewServerWithAddress("127.0.0.1:0", pstest.ServerReactorOption{FuncName: "GetTopic", Reactor: lock})
	strict := &strict{fake: &fake.GServer, book: book, keeper: lock}
	faults := newFaults(settings, strict)

	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(mostMessageBytes),
		grpc.MaxSendMsgSize(mostMessageBytes),
		grpc.ChainUnaryInterceptor(faults.unary, strict.unary),
		grpc.StreamInterceptor(strict.stream),
	)
	pubsubpb.RegisterPublisherServer(server, &fake.GServer)
	pubsubpb.RegisterSubscriberServer(server, &fake.GServer)
	calls := listen()
	go func() { must(server.Serve(calls)) }()
	control := listen()
	go func() { must(http.Serve(control, newControl(faults, book))) }()

	ready, err := json.Marshal(map[string]string{
		"host":    calls.Addr().String(),
		"control": fmt.Sprintf("http://%s", control.Addr()),
	})
	must(err)
	fmt.Println(string(ready))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	return listener
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
