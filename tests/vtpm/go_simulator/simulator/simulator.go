// SPDX-License-Identifier: MIT

// Package simulator is what go-tpm's tests open in place of their own simulator: a connection to the TPM on
// swtpm's ports SOCLE_TEST_PORT and the one after it, cleared and started anew for each test.
package simulator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
)

const (
	cmdInit = 2
)

var (
	startup = []byte{0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x44, 0, 0}
	// TPM2_Clear by the platform, whose authorization is empty.
	clear = []byte{0x80, 2, 0, 0, 0, 27, 0, 0, 1, 0x26, 0x40, 0, 0, 0x0c, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0}
)

// Simulator is a connection to a TPM.
type Simulator struct {
	conn     net.Conn
	response []byte
}

func dial(offset int) (net.Conn, error) {
	port, err := strconv.Atoi(os.Getenv("SOCLE_TEST_PORT"))
	if err != nil {
		return nil, errors.New("SOCLE_TEST_PORT is no port")
	}
	return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port+offset))
}

func control(conn net.Conn, words ...uint32) error {
	var request []byte
	for _, word := range words {
		request = binary.BigEndian.AppendUint32(request, word)
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var status [4]byte
	if _, err := io.ReadFull(conn, status[:]); err != nil {
		return err
	}
	if code := binary.BigEndian.Uint32(status[:]); code != 0 {
		return fmt.Errorf("control command %d: status %d", words[0], code)
	}
	return nil
}

// Get resets the TPM, starts and clears it, and gives a connection to it.
func Get() (*Simulator, error) {
	platform, err := dial(1)
	if err != nil {
		return nil, err
	}
	defer platform.Close()
	if err := control(platform, cmdInit, 0); err != nil {
		return nil, err
	}
	conn, err := dial(0)
	if err != nil {
		return nil, err
	}
	s := &Simulator{conn: conn}
	for _, command := range [][]byte{startup, clear} {
		if err := s.must(command); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return s, nil
}

func (s *Simulator) must(command []byte) error {
	if _, err := s.Write(command); err != nil {
		return err
	}
	if code := binary.BigEndian.Uint32(s.response[6:]); code != 0 {
		return fmt.Errorf("command %x: response code 0x%x", command[6:10], code)
	}
	s.response = nil
	return nil
}

// Write sends a command and keeps its response for Read.
func (s *Simulator) Write(command []byte) (int, error) {
	if _, err := s.conn.Write(command); err != nil {
		return 0, err
	}
	head := make([]byte, 10)
	if _, err := io.ReadFull(s.conn, head); err != nil {
		return 0, err
	}
	size := binary.BigEndian.Uint32(head[2:])
	if size < 10 || size > 1<<16 {
		return 0, fmt.Errorf("a response of %d bytes", size)
	}
	s.response = append(head, make([]byte, size-10)...)
	if _, err := io.ReadFull(s.conn, s.response[10:]); err != nil {
		return 0, err
	}
	return len(command), nil
}

// Read gives what is left of the last response.
func (s *Simulator) Read(buffer []byte) (int, error) {
	if len(s.response) == 0 {
		return 0, io.EOF
	}
	n := copy(buffer, s.response)
	s.response = s.response[n:]
	return n, nil
}

// Close ends the connection.
func (s *Simulator) Close() error { return s.conn.Close() }
