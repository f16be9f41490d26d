// SPDX-License-Identifier: Apache-2.0
// node_hello.js PORT: '/' is answered at once, '/wait' after one second.
const headers = { 'Content-Type': 'text/plain', 'Content-Length': 13 };
const server = require('http').createServer((request, response) => {
  const reply = () => { response.writeHead(200, headers); response.end('Hello, World!'); };
  if (request.url === '/wait') setTimeout(reply, 1000); else reply();
});
server.keepAliveTimeout = 0;
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 65535 });
