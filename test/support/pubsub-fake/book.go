// What the fake does not tell: which delivery of a message is the newest and until when it holds, and how many messages of a
// subscription are not acknowledged.
package main

import (
	"sync"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
)

type lease struct {
	ackID string
	ends  time.Time
}

type subscription struct {
	topic       string
	exactlyOnce bool
	deadline    time.Duration
	waiting     map[string]bool  // ids of messages that are not acknowledged
	leases      map[string]lease // by id of the message: the newest delivery
}

type book struct {
	mu   sync.Mutex
	subs map[string]*subscription
}

func newBook() *book {
	return &book{subs: map[string]*subscription{}}
}

func (b *book) made(s *pubsubpb.Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entry := b.subs[s.Name]
	if entry == nil {
		entry = &subscription{waiting: map[string]bool{}, leases: map[string]lease{}}
		b.subs[s.Name] = entry
	}
	entry.topic = s.Topic
	entry.exactlyOnce = s.EnableExactlyOnceDelivery
	if entry.deadline == 0 { // the fake, too, does not learn of later changes
		entry.deadline = time.Duration(s.AckDeadlineSeconds) * time.Second
	}
}

func (b *book) removed(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subs, name)
}

func (b *book) emptied(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if entry := b.subs[name]; entry != nil {
		entry.waiting = map[string]bool{}
		entry.leases = map[string]lease{}
	}
}

func (b *book) published(topic string, ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, entry := range b.subs {
		if entry.topic != topic {
			continue
		}
		for _, id := range ids {
			entry.waiting[id] = true
		}
	}
}

func (b *book) delivered(name string, messages []*pubsubpb.ReceivedMessage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entry := b.subs[name]
	if entry == nil {
		return
	}
	ends := time.Now().Add(entry.deadline)
	for _, message := range messages {
		entry.leases[message.Message.MessageId] = lease{ackID: message.AckId, ends: ends}
	}
}

// sort divides ids into those of leases that hold and those that are stale. Only exactly-once subscriptions have stale ones:
// others may do what is asked of an old id too, to whoever has the message now, and the fake does.
func (b *book) sort(name string, ids []string) (good, stale []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entry := b.subs[name]
	if entry == nil || !entry.exactlyOnce {
		return ids, nil
	}
	now := time.Now()
	for _, id := range ids {
		if held := entry.leases[messageID(id)]; held.ackID == id && now.Before(held.ends) {
			good = append(good, id)
		} else {
			stale = append(stale, id)
		}
	}
	return good, stale
}

func (b *book) acked(name string, ids []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entry := b.subs[name]
	if entry == nil {
		return
	}
	for _, id := range ids {
		delete(entry.waiting, messageID(id))
		delete(entry.leases, messageID(id))
	}
}

func (b *book) extended(name string, ids []string, length time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entry := b.subs[name]
	if entry == nil {
		return
	}
	for _, id := range ids {
		if held := entry.leases[messageID(id)]; held.ackID == id {
			entry.leases[messageID(id)] = lease{ackID: id, ends: time.Now().Add(length)}
		}
	}
}

// undelivered is what Cloud Monitoring counts under this name: all that is not acknowledged.
func (b *book) undelivered(name string) (count int, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entry := b.subs[name]
	if entry == nil {
		return 0, false
	}
	return len(entry.waiting), true
}
