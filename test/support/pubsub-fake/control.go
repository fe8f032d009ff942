// The test's own port: what was asked and which faults struck, refusals, and the one metric of Cloud Monitoring that a queue's
// depth is read from, always up to date.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"time"
)

var subscriptionFilter = regexp.MustCompile(`subscription_id\s*=\s*"([^"]+)"`)

func newControl(f *faults, b *book) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		answer(w, f.counts)
	})
	mux.HandleFunc("GET /struck", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		answer(w, f.struck)
	})
	mux.HandleFunc("PUT /refusal", func(w http.ResponseWriter, r *http.Request) {
		var wanted refusal
		if err := json.NewDecoder(r.Body).Decode(&wanted); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.refusal = &wanted
		answer(w, struct{}{})
	})
	mux.HandleFunc("DELETE /refusal", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.refusal = nil
		answer(w, struct{}{})
	})
	mux.HandleFunc("GET /v3/projects/{project}/timeSeries", func(w http.ResponseWriter, r *http.Request) {
		found := subscriptionFilter.FindStringSubmatch(r.URL.Query().Get("filter"))
		if found == nil {
			http.Error(w, `{"error":{"code":400,"message":"no subscription_id in the filter"}}`, http.StatusBadRequest)
			return
		}
		count, known := b.undelivered(fmt.Sprintf("projects/%s/subscriptions/%s", r.PathValue("project"), found[1]))
		if !known {
			answer(w, struct{}{})
			return
		}
		now := time.Now().UTC().Format(time.RFC3339)
		answer(w, map[string]any{"timeSeries": []any{map[string]any{
			"points": []any{map[string]any{
				"interval": map[string]string{"startTime": now, "endTime": now},
				"value":    map[string]string{"int64Value": fmt.Sprint(count)},
			}},
		}}})
	})
	return mux
}

func answer(w http.ResponseWriter, content any) {
	w.Header().Set("content-type", "application/json")
	_ = json.NewEncoder(w).Encode(content)
}
