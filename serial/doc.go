// Package serial models BitMoD's bit-serial hardware (arXiv 2411.11745, section
// IV): weights as terms.
package serial
