// Run as `floor HOST:PORT DIRECTORY`: the least that a webhook in Go can do.
//
// It decodes the review as a Go webhook does, into a struct with the AdmissionReview's fields, where objects stay bytes
// (k8s.io/api/admission/v1 has runtime.RawExtension there), and answers `allowed`, over TLS with the directory's
// certificate. It is asked nothing else, so it looks at neither path nor method.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
)

type kind struct {
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
}

type resource struct {
	Group    string `json:"group"`
	Version  string `json:"version"`
	Resource string `json:"resource"`
}

type user struct {
	Username string              `json:"username,omitempty"`
	UID      string              `json:"uid,omitempty"`
	Groups   []string            `json:"groups,omitempty"`
	Extra    map[string][]string `json:"extra,omitempty"`
}

type request struct {
	UID                string          `json:"uid"`
	Kind               kind            `json:"kind"`
	Resource           resource        `json:"resource"`
	SubResource        string          `json:"subResource,omitempty"`
	RequestKind        *kind           `json:"requestKind,omitempty"`
	RequestResource    *resource       `json:"requestResource,omitempty"`
	RequestSubResource string          `json:"requestSubResource,omitempty"`
	Name               string          `json:"name,omitempty"`
	Namespace          string          `json:"namespace,omitempty"`
	Operation          string          `json:"operation"`
	UserInfo           user            `json:"userInfo"`
	Object             json.RawMessage `json:"object,omitempty"`
	OldObject          json.RawMessage `json:"oldObject,omitempty"`
	DryRun             *bool           `json:"dryRun,omitempty"`
	Options            json.RawMessage `json:"options,omitempty"`
}

type response struct {
	UID     string `json:"uid"`
	Allowed bool   `json:"allowed"`
}

type review struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Request    *request  `json:"request,omitempty"`
	Response   *response `json:"response,omitempty"`
}

func answer(writer http.ResponseWriter, asked *http.Request) {
	body, err := io.ReadAll(asked.Body)
	var found review
	if err != nil || json.Unmarshal(body, &found) != nil || found.Request == nil {
		http.Error(writer, "not a review", http.StatusBadRequest)
		return
	}
	found.Response = &response{UID: found.Request.UID, Allowed: true}
	found.Request = nil
	text, err := json.Marshal(&found)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusInternalServerError)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	if _, err := writer.Write(text); err != nil {
		log.Print(err)
	}
}

func main() {
	address, directory := os.Args[1], os.Args[2]
	http.HandleFunc("/", answer)
	log.Fatal(http.ListenAndServeTLS(address, directory+"/tls.crt", directory+"/tls.key", nil))
}
