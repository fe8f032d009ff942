// What Pub/Sub refuses and pstest does not: https://cloud.google.com/pubsub/quotas and the service's own descriptions.
package main

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	mostMessages       = 1000
	mostPublishBytes   = 10_000_000
	mostAckBytes       = 524_288
	mostAttributes     = 100
	mostKeyBytes       = 256
	mostValueBytes     = 1024
	leastDeadline      = 10
	mostDeadline       = 600
	keptHours          = 1_000_000 // pstest forgets what is ten minutes old: see keeper
	seekTolerance      = time.Minute
	staleAckID         = "PERMANENT_FAILURE_INVALID_ACK_ID"
	exactlyOnceFailure = "EXACTLY_ONCE_ACKID_FAILURE"
)

var (
	resourceName = regexp.MustCompile(`^projects/[^/]+/(topics|subscriptions)/[A-Za-z][\w.~+%-]{2,254}$`)
	ackID        = regexp.MustCompile(`^(m\d+):\d+$`)
	// The service's ids are about as long, so that its limit on a request is one.
	padding = ":" + strings.Repeat("x", 190)
)

// keeper sets the publish time of new messages far into the future, under pstest's lock, so that pstest never finds them old.
type keeper struct {
	mu     sync.Mutex
	recent []*pubsubpb.PubsubMessage
}

func (k *keeper) add(messages []*pubsubpb.PubsubMessage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.recent = append(k.recent, messages...)
}

func (k *keeper) React(any) (bool, any, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, message := range k.recent {
		message.PublishTime = timestamppb.New(message.PublishTime.AsTime().Add(keptHours * time.Hour))
	}
	k.recent = nil
	return false, nil, nil
}

type strict struct {
	fake   *pstest.GServer
	book   *book
	keeper *keeper
}

func (s *strict) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	switch r := req.(type) {
	case *pubsubpb.Topic:
		if err := checkName(r.Name); err != nil {
			return nil, err
		}
	case *pubsubpb.Subscription:
		if err := checkSubscription(r); err != nil {
			return nil, err
		}
		return s.remember(next(ctx, req))
	case *pubsubpb.UpdateSubscriptionRequest:
		return s.remember(next(ctx, req))
	case *pubsubpb.DeleteSubscriptionRequest:
		s.book.removed(r.Subscription)
	case *pubsubpb.PublishRequest:
		return s.publish(ctx, r, next)
	case *pubsubpb.PullRequest:
		return s.pull(ctx, r, next)
	case *pubsubpb.AcknowledgeRequest:
		return s.settle(r, r.Subscription, r.AckIds, func(ids []string) (any, error) {
			s.book.acked(r.Subscription, ids)
			return next(ctx, &pubsubpb.AcknowledgeRequest{Subscription: r.Subscription, AckIds: ids})
		})
	case *pubsubpb.ModifyAckDeadlineRequest:
		if r.AckDeadlineSeconds < 0 || r.AckDeadlineSeconds > mostDeadline {
			return nil, status.Errorf(codes.InvalidArgument, "ack_deadline_seconds %d is not within 0 to 600", r.AckDeadlineSeconds)
		}
		return s.settle(r, r.Subscription, r.AckIds, func(ids []string) (any, error) {
			s.book.extended(r.Subscription, ids, time.Duration(r.AckDeadlineSeconds)*time.Second)
			return next(ctx, &pubsubpb.ModifyAckDeadlineRequest{
				Subscription: r.Subscription, AckIds: ids, AckDeadlineSeconds: r.AckDeadlineSeconds,
			})
		})
	case *pubsubpb.SeekRequest:
		return s.seek(ctx, r, next)
	}
	return next(ctx, req)
}

func (s *strict) remember(answer any, err error) (any, error) {
	if made, is := answer.(*pubsubpb.Subscription); is && err == nil {
		s.book.made(made)
	}
	return answer, err
}

func (s *strict) publish(ctx context.Context, r *pubsubpb.PublishRequest, next grpc.UnaryHandler) (any, error) {
	if len(r.Messages) == 0 || len(r.Messages) > mostMessages {
		return nil, status.Errorf(codes.InvalidArgument, "%d messages are not within 1 to %d", len(r.Messages), mostMessages)
	}
	if size := proto.Size(r); size > mostPublishBytes {
		return nil, status.Errorf(codes.InvalidArgument, "Request payload size exceeds the limit: %d bytes, it has %d", mostPublishBytes, size)
	}
	for _, message := range r.Messages {
		if err := checkMessage(message); err != nil {
			return nil, err
		}
	}
	answer, err := next(ctx, r)
	if published, is := answer.(*pubsubpb.PublishResponse); is && err == nil {
		s.book.published(r.Topic, published.MessageIds)
		s.keeper.add(r.Messages)
		_, _ = s.fake.GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: r.Topic}) // runs the keeper
	}
	return answer, err
}

func (s *strict) pull(ctx context.Context, r *pubsubpb.PullRequest, next grpc.UnaryHandler) (any, error) {
	if r.MaxMessages < 1 || r.MaxMessages > mostMessages {
		return nil, status.Errorf(codes.InvalidArgument, "max_messages %d is not within 1 to %d", r.MaxMessages, mostMessages)
	}
	answer, err := next(ctx, r)
	pulled, is := answer.(*pubsubpb.PullResponse)
	if !is || err != nil {
		return answer, err
	}
	out := &pubsubpb.PullResponse{ReceivedMessages: withTrueTimes(pulled.ReceivedMessages)}
	s.book.delivered(r.Subscription, pulled.ReceivedMessages)
	return out, nil
}

// settle does what is asked for ids of leases that hold. Stale ones are an error, which names each, of what is otherwise done.
func (s *strict) settle(req proto.Message, name string, ids []string, act func([]string) (any, error)) (any, error) {
	if size := proto.Size(req); size > mostAckBytes {
		return nil, status.Errorf(codes.InvalidArgument, "Request payload size exceeds the limit: %d bytes, it has %d", mostAckBytes, size)
	}
	ids = unpadded(ids)
	for _, id := range ids {
		if !ackID.MatchString(id) {
			return nil, status.Errorf(codes.InvalidArgument, "You have passed an invalid ack ID to the service (ack_id=%s).", id)
		}
	}
	good, stale := s.book.sort(name, ids)
	answer, err := act(good)
	if err != nil || len(stale) == 0 {
		return answer, err
	}
	why := map[string]string{}
	for _, id := range stale {
		why[id] = staleAckID
	}
	return nil, ackFailure(why)
}

func (s *strict) seek(ctx context.Context, r *pubsubpb.SeekRequest, next grpc.UnaryHandler) (any, error) {
	now := time.Now()
	target := r.GetTime().AsTime()
	if r.GetTime() == nil || target.Before(now.Add(-seekTolerance)) || target.After(now.Add(seekTolerance)) {
		return nil, status.Error(codes.Unimplemented, "this fake seeks to the present only")
	}
	// Nothing is younger than that: pstest would put back what is, without its content.
	r.Target = &pubsubpb.SeekRequest_Time{Time: timestamppb.New(now.Add(seekTolerance))}
	answer, err := next(ctx, r)
	if err == nil {
		s.book.emptied(r.Subscription)
	}
	return answer, err
}

func (s *strict) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return next(srv, &watched{ServerStream: stream, strict: s})
}

type watched struct {
	grpc.ServerStream
	strict *strict
	name   string
}

func (w *watched) RecvMsg(m any) error {
	err := w.ServerStream.RecvMsg(m)
	if r, is := m.(*pubsubpb.StreamingPullRequest); is {
		if r.Subscription != "" {
			w.name = r.Subscription
		}
		r.AckIds = unpadded(r.AckIds)
		r.ModifyDeadlineAckIds = unpadded(r.ModifyDeadlineAckIds)
	}
	return err
}

func (w *watched) SendMsg(m any) error {
	if r, is := m.(*pubsubpb.StreamingPullResponse); is && len(r.ReceivedMessages) > 0 {
		out := proto.Clone(r).(*pubsubpb.StreamingPullResponse)
		out.ReceivedMessages = withTrueTimes(r.ReceivedMessages)
		w.strict.book.delivered(w.name, r.ReceivedMessages)
		return w.ServerStream.SendMsg(out)
	}
	return w.ServerStream.SendMsg(m)
}

// ackFailure is what a settling request ends with of which some ids failed, and for each why.
func ackFailure(why map[string]string) error {
	padded := map[string]string{}
	for id, reason := range why {
		padded[strings.TrimSuffix(id, padding)+padding] = reason
	}
	failure, err := status.New(codes.FailedPrecondition, "Some acknowledgement ids in the request were not valid").WithDetails(
		&errdetails.ErrorInfo{Reason: exactlyOnceFailure, Domain: "pubsub.googleapis.com", Metadata: padded},
	)
	must(err)
	return failure.Err()
}

// withTrueTimes copies, as what pstest gives is its own.
func withTrueTimes(messages []*pubsubpb.ReceivedMessage) []*pubsubpb.ReceivedMessage {
	out := make([]*pubsubpb.ReceivedMessage, 0, len(messages))
	for _, received := range messages {
		m := received.Message
		at := m.PublishTime.AsTime()
		if at.After(time.Now().Add(keptHours * time.Hour / 2)) {
			at = at.Add(-keptHours * time.Hour)
		}
		out = append(out, &pubsubpb.ReceivedMessage{
			AckId:           received.AckId + padding,
			DeliveryAttempt: received.DeliveryAttempt,
			Message: &pubsubpb.PubsubMessage{
				Data: m.Data, Attributes: m.Attributes, MessageId: m.MessageId, OrderingKey: m.OrderingKey,
				PublishTime: timestamppb.New(at),
			},
		})
	}
	return out
}

func checkName(name string) error {
	if !resourceName.MatchString(name) {
		return status.Errorf(codes.InvalidArgument, "Invalid resource name given (name=%s)", name)
	}
	return nil
}

func checkSubscription(r *pubsubpb.Subscription) error {
	if r.AckDeadlineSeconds < leastDeadline || r.AckDeadlineSeconds > mostDeadline {
		return status.Errorf(codes.InvalidArgument, "ack_deadline_seconds %d is not within 10 to 600", r.AckDeadlineSeconds)
	}
	if err := checkName(r.Name); err != nil {
		return err
	}
	return checkName(r.Topic)
}

func checkMessage(message *pubsubpb.PubsubMessage) error {
	if len(message.Data) == 0 && len(message.Attributes) == 0 {
		return status.Error(codes.InvalidArgument, "One or more messages in the publish request is empty")
	}
	if len(message.Attributes) > mostAttributes {
		return status.Error(codes.InvalidArgument, "A message has too many attributes")
	}
	for key, value := range message.Attributes {
		if len(key) == 0 || len(key) > mostKeyBytes || len(value) > mostValueBytes {
			return status.Errorf(codes.InvalidArgument, "The attribute %q is too long", key)
		}
	}
	return nil
}

func unpadded(ids []string) []string {
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		out = append(out, strings.TrimSuffix(id, padding))
	}
	return out
}

func messageID(id string) string {
	if found := ackID.FindStringSubmatch(id); found != nil {
		return found[1]
	}
	return ""
}
