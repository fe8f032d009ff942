# A worker of examples/workers/http:
#     docker build -f examples/deployment/worker.Dockerfile -t worker examples/workers/http
#     docker run -d --name worker --env-file .env worker
FROM node:24-alpine
WORKDIR /app
RUN npm install axios@1.21.1 dotenv@18.0.10
COPY worker.cjs .
USER node
CMD ["node", "worker.cjs"]
