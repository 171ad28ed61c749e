package kernel_test

import (
	"testing"

	"github.com/bitmod-go/bitmod/internal/misuse"
	"github.com/bitmod-go/bitmod/kernel"
	"github.com/bitmod-go/bitmod/quant"
)

func TestMisuse(t *testing.T) {
	m, err := quant.Group(make([]float32, 64), 8, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var a kernel.Activation
	if err := a.Load(make([]float32, 8)); err != nil {
		t.Fatal(err)
	}
	pool, err := kernel.NewPool(2)
	if err != nil {
		t.Fatal(err)
	}
	misuse.Test(t, "kernel", map[string]any{
		"GEMM":           kernel.GEMM,
		"GEMMRows":       kernel.GEMMRows,
		"GEMV":           kernel.GEMV,
		"GEMVRows":       kernel.GEMVRows,
		"Implementation": kernel.Implementation,
		"LoadBatch":      kernel.LoadBatch,
		"NewPool": func(n int) error {
			pl, err := kernel.NewPool(n)
			pl.Close()
			return err
		},
		"Reference": kernel.Reference,
	}, m, &a, pool, func(worker, lo, hi int) {}, (*kernel.Activation).Load)
	for range 2 {
		if err := pool.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}
