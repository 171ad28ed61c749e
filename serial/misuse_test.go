package serial_test

import (
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/misuse"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/serial"
)

func TestMisuse(t *testing.T) {
	m, err := quant.Group(make([]float32, 8), 8, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cb := datatype.BitMoD4.Codebooks()[0]
	table, err := serial.NewTable(cb)
	if err != nil {
		t.Fatal(err)
	}
	misuse.Test(t, "serial", map[string]any{
		"Dequantize":  serial.Dequantize,
		"GEMV":        serial.GEMV,
		"GEMVFloat16": serial.GEMVFloat16,
		"NewTable":    serial.NewTable,
		"Terms":       serial.Terms,
	}, m, cb, table, &serial.PE{}, serial.PE{Mode: serial.Paper}, &serial.Pipeline{}, serial.Term{Man: 9})
}
