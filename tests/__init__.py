"""Tests of ltjax."""
