// SPDX-License-Identifier: Apache-2.0
// node_pg.js PORT SOCKET_FOLDER CONNECTIONS: /db?id=N reads one row by its key, with node's http and the package pg.
const { Pool } = require('pg');
const pool = new Pool({ host: process.argv[3], user: 'bench', database: 'bench', max: Number(process.argv[4]) });
const query = { name: 'row', text: 'select id, randomnumber from world where id = $1' };
require('http').createServer(async (request, response) => {
  const id = new URL(request.url, 'http://x').searchParams.get('id') ?? '1';
  const { rows } = await pool.query({ ...query, values: [id] });
  const body = JSON.stringify(rows[0]);
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
