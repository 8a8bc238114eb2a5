"""The addresses of the service."""

from django.urls import path

from orders import views

urlpatterns = [
    path("healthz", views.healthz),
    path("orders", views.orders),
    path("orders/count", views.count),
]
