// Ships an access log to Kafka as the classic articles on sarama do: a regular expression takes each line apart,
// encoding/json writes it, an AsyncProducer sends it with acks=all, and both of its channels are consumed. With
// -producer sync one line is under way at a time, which is what the articles warn of.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"log"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

var combined = regexp.MustCompile(
	`^(\S+) - (\S+) \[([^\]]+)\] "(\S+) (\S+) HTTP/([0-9.]+)" (\d{3}) (\d+) "([^"]*)" "([^"]*)"$`)

// event has the fields that viewtail reads from the line, under the same names.
type event struct {
	Version   int    `json:"v"`
	Time      string `json:"time"`
	Day       string `json:"day"`
	Site      string `json:"site"`
	Address   string `json:"client_address"`
	Method    string `json:"http_request_method"`
	Path      string `json:"url_path"`
	Status    string `json:"http_response_status_code"`
	Size      string `json:"http_response_body_size"`
	Referrer  string `json:"http_request_referrer"`
	UserAgent string `json:"user_agent_original"`
	Protocol  string `json:"network_protocol_version"`
	Host      string `json:"host"`
	Log       string `json:"log"`
}

func encode(line string) []byte {
	found := combined.FindStringSubmatch(line)
	if found == nil {
		log.Fatalf("not a combined line: %s", line)
	}
	when, err := time.Parse("02/Jan/2006:15:04:05 -0700", found[3])
	if err != nil {
		log.Fatal(err)
	}
	value, err := json.Marshal(event{
		Version: 1, Time: when.UTC().Format(time.RFC3339), Day: when.Format(time.DateOnly), Site: "bench.example.org",
		Address: found[1], Method: found[4], Path: found[5], Protocol: found[6], Status: found[7], Size: found[8],
		Referrer: found[9], UserAgent: found[10], Host: "bench", Log: "bench",
	})
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	brokers := flag.String("brokers", "", "host:port, separated by commas")
	topic := flag.String("topic", "", "where the events go")
	kind := flag.String("producer", "async", "async or sync")
	flag.Parse()
	file, err := os.Open(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Compression = sarama.CompressionLZ4
	config.Producer.Return.Successes = true
	config.Producer.Return.Errors = true
	config.Producer.Partitioner = func(topic string) sarama.Partitioner { return sarama.NewManualPartitioner(topic) }
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	if *kind == "async" {
		config.Producer.Flush.Frequency = 20 * time.Millisecond
		config.Producer.Flush.Messages = 10000
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	send := map[string]func([]string, string, *sarama.Config, *bufio.Scanner){"async": async, "sync": synchronous}[*kind]
	send(strings.Split(*brokers, ","), *topic, config, lines)
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

func async(brokers []string, topic string, config *sarama.Config, lines *bufio.Scanner) {
	producer, err := sarama.NewAsyncProducer(brokers, config)
	if err != nil {
		log.Fatal(err)
	}
	var reports sync.WaitGroup
	reports.Add(2)
	go func() {
		defer reports.Done()
		for range producer.Successes() {
		}
	}()
	go func() {
		defer reports.Done()
		for failure := range producer.Errors() {
			log.Fatal(failure)
		}
	}()
	for lines.Scan() {
		producer.Input() <- &sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(encode(lines.Text()))}
	}
	producer.AsyncClose()
	reports.Wait()
}

func synchronous(brokers []string, topic string, config *sarama.Config, lines *bufio.Scanner) {
	producer, err := sarama.NewSyncProducer(brokers, config)
	if err != nil {
		log.Fatal(err)
	}
	for lines.Scan() {
		message := &sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(encode(lines.Text()))}
		if _, _, err := producer.SendMessage(message); err != nil {
			log.Fatal(err)
		}
	}
	if err := producer.Close(); err != nil {
		log.Fatal(err)
	}
}
