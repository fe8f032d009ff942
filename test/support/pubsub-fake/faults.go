// What networks and clouds do now and then: requests refused, answers lost, silence, messages given out twice. Also refusals of
// everything, set and lifted while a test runs. Same seed, same order of faults.
package main

import (
	"context"
	"math/rand"
	"path"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const longestSilence = time.Minute

// Shares of requests, each from 0 to 1.
type faultSettings struct {
	Seed        int64   `json:"seed"`
	Unavailable float64 `json:"unavailable"`
	TimedOut    float64 `json:"timedOut"`
	Exhausted   float64 `json:"exhausted"`
	Internal    float64 `json:"internal"`
	Silent      float64 `json:"silent"`
	LostAnswer  float64 `json:"lostAnswer"`
	// LostFor names the methods that answers are lost of; all if empty.
	LostFor []string `json:"lostFor"`
	// Duplicate is the share of pulls after which one of their messages is given out again although it is held.
	Duplicate float64 `json:"duplicate"`
	// TransientAck is the share of settling requests of which one id fails, to be tried again.
	TransientAck float64 `json:"transientAck"`
	LatencyMs    int     `json:"latencyMs"`
}

type refusal struct {
	// Method such as Publish; empty for all.
	Method   string            `json:"method"`
	Code     codes.Code        `json:"code"`
	Message  string            `json:"message"`
	Reason   string            `json:"reason"`
	Metadata map[string]string `json:"metadata"`
}

type faults struct {
	settings faultSettings
	strict   *strict

	mu      sync.Mutex
	random  *rand.Rand
	refusal *refusal
	struck  map[string]int
	counts  map[string]int
}

func newFaults(settings faultSettings, strict *strict) *faults {
	return &faults{
		settings: settings,
		strict:   strict,
		random:   rand.New(rand.NewSource(settings.Seed)),
		struck:   map[string]int{},
		counts:   map[string]int{},
	}
}

func (f *faults) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	method := path.Base(info.FullMethod)
	f.mu.Lock()
	f.counts[method]++
	refused := f.refusal
	f.mu.Unlock()
	if refused != nil && (refused.Method == "" || refused.Method == method) {
		return nil, refused.err()
	}
	if f.settings.LatencyMs > 0 {
		time.Sleep(time.Duration(f.settings.LatencyMs) * time.Millisecond)
	}
	if fault := f.choose(method); fault != "" {
		switch fault {
		case "unavailable":
			return nil, status.Error(codes.Unavailable, "The service was unable to fulfill your request. Please try again.")
		case "timedOut":
			return nil, status.Error(codes.DeadlineExceeded, "Deadline expired before operation could complete.")
		case "exhausted":
			return nil, status.Error(codes.ResourceExhausted, "Quota exceeded for quota metric 'Regional publisher throughput'")
		case "internal":
			return nil, status.Error(codes.Internal, "Internal error encountered.")
		case "silent":
			select {
			case <-ctx.Done():
			case <-time.After(longestSilence):
			}
			return nil, status.Error(codes.DeadlineExceeded, "Nobody answered")
		case "lostAnswer":
			_, _ = next(ctx, req)
			return nil, status.Error(codes.Unavailable, "Connection reset by peer")
		case "transientAck":
			if first := takeFirst(req); first != "" {
				_, err := next(ctx, req)
				return nil, withTransient(first, err)
			}
		}
	}
	answer, err := next(ctx, req)
	if pulled, is := answer.(*pubsubpb.PullResponse); is && err == nil && len(pulled.ReceivedMessages) > 0 && f.strikes("duplicate", f.settings.Duplicate) {
		f.giveAgain(ctx, req.(*pubsubpb.PullRequest).Subscription, pulled.ReceivedMessages[0].AckId)
	}
	return answer, err
}

func (f *faults) choose(method string) string {
	s := f.settings
	lost := 0.0
	if len(s.LostFor) == 0 || contains(s.LostFor, method) {
		lost = s.LostAnswer
	}
	transient := 0.0
	if method == "Acknowledge" || method == "ModifyAckDeadline" {
		transient = s.TransientAck
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	chance := f.random.Float64()
	for _, fault := range []struct {
		name  string
		share float64
	}{
		{"unavailable", s.Unavailable}, {"timedOut", s.TimedOut}, {"exhausted", s.Exhausted}, {"internal", s.Internal},
		{"silent", s.Silent}, {"lostAnswer", lost}, {"transientAck", transient},
	} {
		if chance < fault.share {
			f.struck[fault.name]++
			return fault.name
		}
		chance -= fault.share
	}
	return ""
}

func (f *faults) strikes(name string, share float64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.random.Float64() >= share {
		return false
	}
	f.struck[name]++
	return true
}

// takeFirst takes the first id out of a settling request: the service could not do it just now.
func takeFirst(req any) string {
	switch r := req.(type) {
	case *pubsubpb.AcknowledgeRequest:
		if len(r.AckIds) > 0 {
			first := r.AckIds[0]
			r.AckIds = r.AckIds[1:]
			return first
		}
	case *pubsubpb.ModifyAckDeadlineRequest:
		if len(r.AckIds) > 0 {
			first := r.AckIds[0]
			r.AckIds = r.AckIds[1:]
			return first
		}
	}
	return ""
}

// withTransient adds one id that may be tried again to what became of the others.
func withTransient(id string, others error) error {
	why := map[string]string{id: "TRANSIENT_FAILURE_SERVICE_UNAVAILABLE"}
	if others == nil {
		return ackFailure(why)
	}
	for _, detail := range status.Convert(others).Details() {
		if info, is := detail.(*errdetails.ErrorInfo); is {
			for stale, reason := range info.Metadata {
				why[stale] = reason
			}
			return ackFailure(why)
		}
	}
	return others
}

func (f *faults) giveAgain(ctx context.Context, name, id string) {
	_, _ = f.strict.fake.ModifyAckDeadline(ctx, &pubsubpb.ModifyAckDeadlineRequest{Subscription: name, AckIds: unpadded([]string{id})})
}

func (r *refusal) err() error {
	refused := status.New(r.Code, r.Message)
	if r.Reason == "" {
		return refused.Err()
	}
	detailed, err := refused.WithDetails(&errdetails.ErrorInfo{Reason: r.Reason, Domain: "googleapis.com", Metadata: r.Metadata})
	must(err)
	return detailed.Err()
}

func contains(list []string, wanted string) bool {
	for _, item := range list {
		if item == wanted {
			return true
		}
	}
	return false
}
