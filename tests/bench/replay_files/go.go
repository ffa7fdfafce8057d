// Package ring holds the last values of a series, and sums them up.
package ring

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"sync"
	"time"
)

// ErrEmpty is returned where a figure of no values is asked for.
var ErrEmpty = errors.New("ring: there are no values")

// Sample is a value and the time it was taken at.
type Sample struct {
	At    time.Time
	Value float64
}

// Ring keeps the last samples; older ones are overwritten. It is safe for use by several goroutines.
type Ring struct {
	mu      sync.Mutex
	samples []Sample
	next    int
	full    bool
}

// New makes a ring for so many samples.
func New(size int) (*Ring, error) {
	if size <= 0 {
		return nil, fmt.Errorf("ring: size %d is not positive", size)
	}
	return &Ring{samples: make([]Sample, size)}, nil
}

// Add puts a sample in, in place of the oldest one when the ring is full.
func (r *Ring) Add(at time.Time, value float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples[r.next] = Sample{At: at, Value: value}
	r.next++
	if r.next == len(r.samples) {
		r.next = 0
		r.full = true
	}
}

// Len says how many samples there are.
func (r *Ring) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full {
		return len(r.samples)
	}
	return r.next
}

// Samples returns the samples, the oldest first.
func (r *Ring) Samples() []Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.full {
		return append([]Sample(nil), r.samples[:r.next]...)
	}
	ordered := append([]Sample(nil), r.samples[r.next:]...)
	return append(ordered, r.samples[:r.next]...)
}

// Since returns the samples that were taken after a time.
func (r *Ring) Since(start time.Time) []Sample {
	samples := r.Samples()
	first := sort.Search(len(samples), func(i int) bool {
		return samples[i].At.After(start)
	})
	return samples[first:]
}

// Mean is the mean of all values.
func (r *Ring) Mean() (float64, error) {
	samples := r.Samples()
	if len(samples) == 0 {
		return 0, ErrEmpty
	}
	sum := 0.0
	for _, sample := range samples {
		sum += sample.Value
	}
	return sum / float64(len(samples)), nil
}

// Percentile is the value below which the share of all values lies; share is between 0 and 1.
func (r *Ring) Percentile(share float64) (float64, error) {
	if share < 0 || share > 1 || math.IsNaN(share) {
		return 0, fmt.Errorf("ring: %v is no share", share)
	}
	samples := r.Samples()
	if len(samples) == 0 {
		return 0, ErrEmpty
	}
	values := make([]float64, 0, len(samples))
	for _, sample := range samples {
		values = append(values, sample.Value)
	}
	sort.Float64s(values)
	place := int(math.Ceil(share*float64(len(values)))) - 1
	if place < 0 {
		place = 0
	}
	return values[place], nil
}

// Rate is the change of the value per second, from the oldest sample to the newest.
func (r *Ring) Rate() (float64, error) {
	samples := r.Samples()
	if len(samples) < 2 {
		return 0, ErrEmpty
	}
	first, last := samples[0], samples[len(samples)-1]
	elapsed := last.At.Sub(first.At).Seconds()
	if elapsed <= 0 {
		return 0, fmt.Errorf("ring: no time has passed since %v", first.At)
	}
	return (last.Value - first.Value) / elapsed, nil
}
