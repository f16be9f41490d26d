// SPDX-License-Identifier: Apache-2.0
// pgx PORT SOCKET_FOLDER CONNECTIONS: /db?id=N reads one row by its key, with net/http and pgx.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"
)

type world struct {
	ID           int `json:"id"`
	RandomNumber int `json:"randomnumber"`
}

func main() {
	pool, err := pgxpool.New(context.Background(),
		"host="+os.Args[2]+" user=bench dbname=bench pool_max_conns="+os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/db", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.URL.Query().Get("id"))
		if err != nil {
			http.Error(w, "id must be a number", http.StatusBadRequest)
			return
		}
		var row world
		err = pool.QueryRow(r.Context(), "select id, randomnumber from world where id = $1", id).
			Scan(&row.ID, &row.RandomNumber)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(row)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
